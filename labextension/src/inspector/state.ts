import type { TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import type { ConnectionState, Disposer } from '../client/types';
import { element, setText } from '../views/dom';
import type { InspectorClient } from './api';

/** The connection in a few words. */
export function describeState({ status, retryAt, trouble }: ConnectionState, trans: TranslationBundle, now: number): string {
  switch (status) {
    case 'live':
      return trouble === undefined ? trans.__('live') : trans.__('stale');
    case 'connecting':
      return trans.__('connecting');
    case 'reconnecting': {
      const seconds = retryAt === undefined ? 0 : Math.ceil(retryAt - now);
      return seconds > 0 ? trans.__('reconnecting in %1 s', seconds) : trans.__('reconnecting');
    }
    case 'offline':
      return trans.__('offline');
    case 'refused':
      return trans.__('refused');
  }
}

export function toneOf({ status, trouble }: ConnectionState): 'good' | 'busy' | 'bad' {
  return status === 'live' ? (trouble === undefined ? 'good' : 'busy') : status === 'connecting' || status === 'reconnecting' ? 'busy' : 'bad';
}

/** The line at the top: whether what stands below is live, and if not, why and what is done about it. */
export class StateLine extends Widget {
  private readonly chip = element('span', 'nbc-state');
  private readonly words = element('span');
  private readonly detail = element('div', 'nbc-state-detail');
  private watch: Disposer | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly client: InspectorClient,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.addClass('nbc-state-line');
    const dot = element('span', 'nbc-dot');
    dot.setAttribute('aria-hidden', 'true');
    this.chip.append(dot, this.words);
    this.chip.setAttribute('role', 'status');
    this.node.append(this.chip, this.detail);
  }

  override dispose(): void {
    this.rest();
    super.dispose();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.look();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.look();
  }

  protected override onBeforeHide(message: Message): void {
    super.onBeforeHide(message);
    this.rest();
  }

  protected override onBeforeDetach(message: Message): void {
    super.onBeforeDetach(message);
    this.rest();
  }

  private look(): void {
    if (this.isVisible && this.watch === null) {
      this.watch = this.client.watchState(() => {
        this.tell();
      });
    }
  }

  private rest(): void {
    this.watch?.dispose();
    this.watch = null;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private detailOf({ status, detail, trouble, shared }: ConnectionState): string {
    if (status === 'live' && trouble === undefined && shared !== undefined) {
      return this.trans.__('Shared over %1: the lists show this server, a group’s details and Layer tell of all.', title(shared));
    }
    return status === 'connecting' || (status === 'live' && trouble === undefined) ? '' : detail;
  }

  private tell(): void {
    const { state } = this.client;
    this.chip.dataset['tone'] = toneOf(state);
    setText(this.words, describeState(state, this.trans, Date.now() / 1000));
    setText(this.detail, this.detailOf(state));
    this.detail.hidden = this.detail.textContent === '';
    // Only a countdown needs a clock.
    if (state.retryAt === undefined) {
      clearInterval(this.timer);
      this.timer = undefined;
    } else {
      this.timer ??= setInterval(() => {
        this.tell();
      }, 500);
    }
  }
}

function title(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
