import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyJSONObject } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Api, DeadLetter, Kind, TailRow } from './api';
import type { Following } from './following';
import type { Settings } from './settings';

/** What the reader has selected: what menus and commands without arguments are about. */
export type Target =
  | { readonly kind: 'group'; readonly name: string }
  | { readonly kind: 'channel'; readonly name: string }
  | { readonly kind: 'message'; readonly row: TailRow }
  | { readonly kind: 'consumer'; readonly channel: string; readonly client: string }
  | { readonly kind: 'dead'; readonly letter: DeadLetter }
  | { readonly kind: 'diagnosis'; readonly number: number; readonly text: string }
  | { readonly kind: 'client'; readonly key: string; readonly label: string };

export class Selection {
  private present: Target | null = null;
  readonly changed = new Signal<this, Target | null>(this);

  get target(): Target | null {
    return this.present;
  }

  set target(target: Target | null) {
    this.present = target;
    this.changed.emit(target);
  }

  /** The group or channel that the selection is about, if it is about one. */
  get place(): { readonly kind: Kind; readonly name: string } | null {
    const { present } = this;
    switch (present?.kind) {
      case 'group':
      case 'channel':
        return { kind: present.kind, name: present.name };
      case 'message':
        return { kind: present.row.kind, name: present.row.name };
      case 'consumer':
        return { kind: 'channel', name: present.channel };
      case 'dead':
        return { kind: 'channel', name: present.letter.channel };
      case 'client':
      case 'diagnosis':
      case undefined:
        return null;
    }
  }
}

/** What all parts of the inspector share. */
export interface Context {
  readonly api: Api;
  readonly settings: Settings;
  readonly trans: TranslationBundle;
  readonly selection: Selection;
  readonly following: Following;
  /** Dead letters may have come or gone. */
  readonly lettersChanged: ISignal<unknown, void>;
  /** Seconds since 1970, on the server's clock as far as it is known. */
  now(): number;
  /** Run one of the commands in `COMMANDS`. */
  run(command: string, args?: ReadonlyJSONObject): void;
  /** Put text where it can be pasted from. */
  copy(text: string): void;
}

export const COMMANDS = {
  open: 'nbchannels:open-inspector',
  send: 'nbchannels:send-message',
  plot: 'nbchannels:open-plot',
  value: 'nbchannels:open-value',
  log: 'nbchannels:open-log',
  table: 'nbchannels:open-table',
  insertWatch: 'nbchannels:insert-plot-cell',
  insertConsumer: 'nbchannels:insert-consumer-cell',
  clear: 'nbchannels:clear-group',
  showMessages: 'nbchannels:show-messages',
  copyName: 'nbchannels:copy-name',
  copyCurl: 'nbchannels:copy-as-curl',
  copyPython: 'nbchannels:copy-as-python',
  copyMessage: 'nbchannels:copy-message',
  sendAgain: 'nbchannels:send-message-again',
  edit: 'nbchannels:edit-message',
  pause: 'nbchannels:pause-messages',
  resend: 'nbchannels:resend-dead-letter',
  discard: 'nbchannels:discard-dead-letter',
  dismiss: 'nbchannels:dismiss-diagnosis',
  dismissAll: 'nbchannels:dismiss-diagnoses',
  follow: 'nbchannels:follow-notebook',
  disconnect: 'nbchannels:disconnect-client'
} as const;
