import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyJSONObject, ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { LabIcon } from '@jupyterlab/ui-components';
import { addIcon, clearIcon, closeIcon, copyIcon, deleteIcon, editIcon, filterIcon, listIcon, pauseIcon, refreshIcon } from '@jupyterlab/ui-components';

import type { Kind, TailRow } from '../api';
import { number, sentence, text } from '../api';
import type { Context } from '../context';
import { COMMANDS } from '../context';
import { channelsIcon, plotIcon, sendIcon } from '../icons';
import { isRedacted } from '../redact';
import { attempt, confirm, sendDialog, warn } from './dialogs';
import { consumerCell, curlSend, plotCell, pythonSend } from './snippets';

/** What commands need of the rest. */
export interface Hands {
  /** The server's address, with a slash at the end. */
  readonly base: string;
  reveal(section?: string): void;
  seek(name: string): void;
  /** Open a live view in a tab; `kind` as in its specification. */
  openView(group: string, kind: string): Promise<void>;
  /** Returns whether there is a notebook. */
  insertCell(code: string): boolean;
  whole(row: TailRow): Promise<{ readonly message: unknown; readonly omitted: string | null }>;
  pause(): void;
  isPaused(): boolean;
  /** Something was changed: look again. */
  refresh(panel: 'groups' | 'problems' | 'clients'): void;
}

type Arguments = ReadonlyPartialJSONObject;
const WORD = { type: 'string' } as const;

/** Register all commands. Without arguments they are about what is selected in the inspector. */
export function addCommands(commands: CommandRegistry, context: Context, hands: Hands): void {
  const { trans, selection, api, copy } = context;

  const add = (
    id: string,
    label: string,
    caption: string,
    icon: LabIcon,
    properties: ReadonlyJSONObject,
    execute: (args: Arguments) => unknown,
    isEnabled: (args: Arguments) => boolean = () => true
  ): void => {
    commands.addCommand(id, {
      label,
      caption,
      icon,
      execute,
      isEnabled,
      describedBy: { args: { type: 'object', properties } }
    });
  };
  const place = (args: Arguments, kind: Kind): string => {
    const told = text(args[kind] ?? args.name);
    const selected = selection.place;
    return told !== '' ? told : selected?.kind === kind ? selected.name : '';
  };
  const row = (): TailRow | null => (selection.target?.kind === 'message' ? selection.target.row : null);
  const has = (kind: Kind) => (args: Arguments): boolean => place(args, kind) !== '';
  const hasRow = (): boolean => row() !== null;
  const insert = (code: string): void => {
    if (!hands.insertCell(code)) {
      copy(code);
      warn(trans.__('No notebook is open; the cell was copied instead.'));
    }
  };
  /** The selected message to work with, and what is to be known of it. */
  const fetched = async (one: TailRow): Promise<{ message: unknown; note?: string } | null> => {
    try {
      const { message, omitted } = await hands.whole(one);
      if (message === null || message === undefined) {
        warn(omitted ?? trans.__('This message has no content that can be shown as JSON.'));
        return null;
      }
      const note = isRedacted(message)
        ? trans.__('Some values are hidden (•••) and would be sent as they stand here.')
        : omitted !== null
          ? omitted
          : one.codec === 'json'
            ? undefined
            : trans.__('It was sent as %1; here it is JSON: arrays are lists, times are text.', one.codec);
      return note === undefined ? { message } : { message, note };
    } catch (error) {
      warn(sentence(error));
      return null;
    }
  };
  const draft = (): { kind: Kind; name: string; content: string } => ({ ...(selection.place ?? { kind: 'group', name: '' }), content: '{\n  "y": 1\n}' });

  add(COMMANDS.open, trans.__('Show Channels'), trans.__('Groups, messages, consumers and clients of nbchannels'), channelsIcon, { section: WORD }, args => {
    hands.reveal(text(args.section) || undefined);
  });
  add(
    COMMANDS.send, trans.__('Send a Message…'), trans.__('Send a message to a group or channel'), sendIcon,
    { kind: { type: 'string', enum: ['group', 'channel'] }, name: WORD, content: WORD },
    args => {
      const begin = draft();
      const name = text(args.name);
      return sendDialog(context, {
        kind: args.kind === 'channel' ? 'channel' : args.kind === 'group' ? 'group' : begin.kind,
        name: name === '' && args.kind === undefined ? begin.name : name,
        content: text(args.content) || begin.content
      });
    }
  );
  add(COMMANDS.plot, trans.__('Open Live Plot'), trans.__('Open a live plot of a group in a tab'), plotIcon, { group: WORD, kind: WORD }, args => hands.openView(place(args, 'group'), text(args.kind) || 'plot'), has('group'));
  for (const [kind, label, caption] of [
    ['value', trans.__('Open Live Values'), trans.__('Open the newest values of a group in a tab')],
    ['log', trans.__('Open Live Log'), trans.__('Open the messages of a group as lines in a tab')],
    ['table', trans.__('Open Live Table'), trans.__('Open the messages of a group as rows in a tab')]
  ] as const) {
    add(COMMANDS[kind], label, caption, listIcon, { group: WORD }, args => hands.openView(place(args, 'group'), kind), has('group'));
  }
  add(COMMANDS.insertWatch, trans.__('Insert Cell with Live Plot'), trans.__('Insert a cell that plots a group'), addIcon, { group: WORD }, args => {
    insert(plotCell(place(args, 'group')));
  }, has('group'));
  add(COMMANDS.insertConsumer, trans.__('Insert Cell with Consumer'), trans.__('Insert a cell with a consumer of a channel'), addIcon, { channel: WORD }, args => {
    insert(consumerCell(place(args, 'channel')));
  }, has('channel'));
  add(COMMANDS.showMessages, trans.__('Show Messages'), trans.__('Show the messages of a group or channel as they come'), listIcon, { name: WORD }, args => {
    hands.reveal('messages');
    hands.seek(text(args.name) || selection.place?.name || '');
  });
  add(COMMANDS.clear, trans.__('Clear Group…'), trans.__('Forget all messages of a group'), deleteIcon, { group: WORD }, async args => {
    const group = place(args, 'group');
    const question = trans.__('All messages that group "%1" keeps are forgotten, for everybody who watches it.', group);
    if (await confirm(context, trans.__('Clear the group?'), question, trans.__('Clear'))) {
      await attempt(() => api.clear(group), trans.__('Group "%1" is empty.', group));
      hands.refresh('groups');
    }
  }, has('group'));
  add(COMMANDS.copyName, trans.__('Copy Name'), trans.__('Copy the name of the group or channel'), copyIcon, {}, () => {
    copy(selection.place?.name ?? '');
  }, () => selection.place !== null);

  const snippet = (make: (kind: Kind, name: string, content: unknown) => string) => async (): Promise<void> => {
    const target = selection.place;
    const one = row();
    const found = one === null ? { message: { y: 1 } } : await fetched(one);
    if (target !== null && found !== null) {
      copy(make(target.kind, target.name, found.message));
      if ('note' in found && found.note !== undefined) {
        warn(found.note);
      }
    }
  };
  add(COMMANDS.copyCurl, trans.__('Copy as curl'), trans.__('Copy a line for a shell that sends it'), copyIcon, {}, snippet((kind, name, content) => curlSend(hands.base, kind, name, content)), () => selection.place !== null);
  add(COMMANDS.copyPython, trans.__('Copy as Python'), trans.__('Copy Python that sends it'), copyIcon, {}, snippet(pythonSend), () => selection.place !== null);

  add(COMMANDS.copyMessage, trans.__('Copy Message'), trans.__('Copy the selected message as JSON'), copyIcon, {}, async () => {
    const one = row();
    const found = one === null ? null : await fetched(one);
    if (found !== null) {
      copy(JSON.stringify(found.message, null, 2));
    }
  }, hasRow);
  add(COMMANDS.edit, trans.__('Edit and Send Message…'), trans.__('Change the selected message and send it'), editIcon, {}, async () => {
    const one = row();
    const found = one === null ? null : await fetched(one);
    if (one !== null && found !== null) {
      const content = JSON.stringify(found.message, null, 2);
      await sendDialog(context, { kind: one.kind, name: one.name, content, ...(found.note === undefined ? {} : { note: found.note }) });
    }
  }, hasRow);
  add(COMMANDS.sendAgain, trans.__('Send Message Again'), trans.__('Send the selected message once more'), sendIcon, {}, async () => {
    const one = row();
    const found = one === null ? null : await fetched(one);
    if (one === null || found === null) {
      return;
    }
    if (found.note !== undefined) {
      // It would not be the same message: the reader decides.
      await sendDialog(context, { kind: one.kind, name: one.name, content: JSON.stringify(found.message, null, 2), note: found.note });
      return;
    }
    await attempt(() => api.client.send(one.kind, one.name, found.message as Record<string, unknown>), trans.__('Sent again to %1.', one.name));
  }, hasRow);
  commands.addCommand(COMMANDS.pause, {
    label: () => (hands.isPaused() ? trans.__('Go on with Messages') : trans.__('Pause Messages')),
    caption: trans.__('Have the list of messages stand still'),
    icon: pauseIcon,
    isToggled: () => hands.isPaused(),
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () => {
      hands.pause();
    }
  });

  const letter = (args: Arguments): number => number(args.number) || (selection.target?.kind === 'dead' ? selection.target.letter.number : 0);
  add(COMMANDS.resend, trans.__('Send Dead Letter Again'), trans.__('Put a dead letter into its channel once more'), refreshIcon, { number: { type: 'number' } }, async args => {
    await attempt(() => api.resend(letter(args)), trans.__('The dead letter is in its channel again.'));
    hands.refresh('problems');
  }, args => letter(args) > 0);
  add(COMMANDS.discard, trans.__('Discard Dead Letter…'), trans.__('Throw a dead letter away'), deleteIcon, { number: { type: 'number' } }, async args => {
    const which = letter(args);
    if (await confirm(context, trans.__('Discard the dead letter?'), trans.__('Dead letter %1 and its message are gone then.', which), trans.__('Discard'))) {
      await attempt(() => api.discard(which), trans.__('The dead letter was thrown away.'));
      hands.refresh('problems');
    }
  }, args => letter(args) > 0);

  const diagnosis = (args: Arguments): number => number(args.number) || (selection.target?.kind === 'diagnosis' ? selection.target.number : 0);
  add(COMMANDS.dismiss, trans.__('Dismiss Diagnosis'), trans.__('Forget a diagnosis; if it happens again, it is told again'), closeIcon, { number: { type: 'number' } }, async args => {
    await attempt(() => api.dismiss(diagnosis(args)), trans.__('The diagnosis was dismissed.'));
    hands.refresh('problems');
  }, args => diagnosis(args) > 0);
  add(COMMANDS.dismissAll, trans.__('Dismiss All Diagnoses…'), trans.__('Forget all diagnoses of this server'), clearIcon, {}, async () => {
    const question = trans.__('They are forgotten for everybody who uses this server; what happens again is told again. Dead letters stay.');
    if (await confirm(context, trans.__('Dismiss all diagnoses?'), question, trans.__('Dismiss'))) {
      await attempt(() => api.dismiss(null), trans.__('All diagnoses were dismissed.'));
      hands.refresh('problems');
    }
  });
  commands.addCommand(COMMANDS.follow, {
    label: trans.__('Show Only Channels of the Notebook in Front'),
    caption: trans.__('Narrow the lists to the groups, channels, consumers and clients of the notebook in front'),
    icon: filterIcon,
    isToggled: () => context.following.on,
    isToggleable: true,
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () => {
      context.following.on = !context.following.on;
      commands.notifyCommandChanged(COMMANDS.follow);
    }
  });

  const client = (args: Arguments): readonly [key: string, label: string] => {
    const { target } = selection;
    if (text(args.client) !== '') {
      return [text(args.client), text(args.label) || text(args.client)];
    }
    return target?.kind === 'client' ? [target.key, target.label] : target?.kind === 'consumer' ? [target.client, target.client] : ['', ''];
  };
  add(COMMANDS.disconnect, trans.__('Disconnect Client…'), trans.__('End the connection of a kernel, page or script'), closeIcon, { client: WORD, label: WORD }, async args => {
    const [key, label] = client(args);
    const question = trans.__('%1 gets no more messages; what it has in hand goes back to its channels after a minute.', label);
    if (await confirm(context, trans.__('Disconnect the client?'), question, trans.__('Disconnect'))) {
      await attempt(() => api.disconnect(key), trans.__('%1 was disconnected.', label));
      hands.refresh('clients');
    }
  }, args => client(args)[0] !== '');
}
