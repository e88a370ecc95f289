import { element } from '../../views/dom';
import type { DeadLetter } from '../api';
import { sentence } from '../api';
import type { Context } from '../context';
import { COMMANDS } from '../context';
import { redacted } from '../redact';
import { contentNodes } from './content';
import type { Action } from './detail';

/** What can be done with a dead letter. */
export function letterActions({ trans, run }: Context, number: number): Action[] {
  return [
    { label: trans.__('Send again'), title: trans.__('Put dead letter %1 into its channel once more', number), run: () => { run(COMMANDS.resend, { number }); } },
    { label: trans.__('Discard…'), title: trans.__('Throw dead letter %1 away', number), danger: true, run: () => { run(COMMANDS.discard, { number }); } }
  ];
}

/**
 * What is in a dead letter. It is fetched when it is opened, and only then.
 *
 * @param open - whether it is opened at once
 */
export function letterContent(context: Context, letter: DeadLetter, open: boolean): HTMLElement {
  const { trans, api, settings, copy } = context;
  const root = element('details', 'nbc-letter');
  const body = element('div', 'nbc-letter-content');
  let asked = false;
  const fetch = async (): Promise<void> => {
    if (asked) {
      return;
    }
    asked = true;
    body.replaceChildren(element('div', 'nbc-muted', trans.__('Waiting for the server.')));
    try {
      const told = redacted(settings.redaction, await api.deadLetter(letter.number));
      body.replaceChildren(...contentNodes(trans, copy, told));
    } catch (error) {
      asked = false; // Opened once more, it is tried again.
      body.replaceChildren(element('div', 'nbc-note', sentence(error)));
    }
  };
  root.append(element('summary', '', trans.__('Message of dead letter %1', letter.number)), body);
  root.addEventListener('toggle', () => {
    if (root.open) {
      void fetch();
    }
  });
  if (open) {
    root.open = true;
    void fetch();
  }
  return root;
}
