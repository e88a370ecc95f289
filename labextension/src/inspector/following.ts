import { Signal } from '@lumino/signaling';

import type { Api, Kind } from './api';
import { sentence } from './api';
import { toPattern } from './redact';
import type { Pace } from './poller';
import { Poller } from './poller';

/** Seconds between two looks at what belongs to the notebook. */
const INTERVAL = 2;

/** The notebook in front. */
export interface ActiveNotebook {
  readonly path: string;
  /** The id of its kernel; `null` without one. */
  readonly kernel: string | null;
  /** Groups that its outputs show. */
  readonly views: readonly string[];
}

/** What belongs to the notebook in front: all lists show this only. */
export class Scope {
  private readonly groups: ReadonlySet<string>;
  private readonly clients: ReadonlySet<string>;
  private readonly channels: ReadonlySet<string>;
  private readonly globs: readonly RegExp[];

  constructor(groups: readonly string[], channels: readonly string[], clients: readonly string[]) {
    this.groups = new Set(groups);
    this.clients = new Set(clients);
    this.channels = new Set(channels);
    this.globs = channels.filter(name => /[*?]/.test(name)).map(toPattern);
  }

  has(kind: Kind | 'client', name: string): boolean {
    switch (kind) {
      case 'group':
        return this.groups.has(name);
      case 'client':
        return this.clients.has(name);
      case 'channel':
        return this.channels.has(name) || this.globs.some(glob => glob.test(name));
    }
  }
}

/** Narrows the lists to the notebook in front, while that is wished and somebody looks. */
export class Following {
  readonly changed = new Signal<this, void>(this);
  /** `null`: everything is shown. */
  scope: Scope | null = null;
  /** Of the notebook that is followed; empty without one. */
  path = '';
  refusal: string | null = null;
  private wished = false;
  private seen = false;
  private readonly poller: Poller;

  constructor(
    private readonly api: Api,
    private readonly front: () => ActiveNotebook | null,
    pace?: Pace
  ) {
    this.poller = new Poller(api.client, () => this.ask(), () => INTERVAL, pace);
  }

  get on(): boolean {
    return this.wished;
  }

  set on(on: boolean) {
    if (on !== this.wished) {
      this.wished = on;
      this.scope = on ? new Scope([], [], []) : null;
      this.path = on ? (this.front()?.path ?? '') : '';
      this.settle();
      this.changed.emit();
    }
  }

  /** Whether anyone sees the lists. */
  set visible(visible: boolean) {
    this.seen = visible;
    this.settle();
  }

  /** Another notebook may be in front. */
  hurry(): void {
    if (this.wished) {
      this.poller.hurry();
    }
  }

  dispose(): void {
    this.poller.dispose();
    Signal.clearData(this);
  }

  private settle(): void {
    if (this.wished && this.seen) {
      this.poller.start();
      this.poller.hurry();
    } else {
      this.poller.stop();
    }
  }

  private async ask(): Promise<void> {
    const front = this.front();
    try {
      const { groups, channels, clients } =
        front === null ? { groups: [], channels: [], clients: [] } : await this.api.belongings(front.kernel, front.views);
      if (!this.wished) {
        return;
      }
      this.path = front?.path ?? '';
      this.scope = new Scope([...groups, ...(front?.views ?? [])], channels, clients);
      this.refusal = null;
    } catch (error) {
      if (this.api.client.state.status !== 'live') {
        return; // The state line says so.
      }
      this.refusal = sentence(error);
    }
    this.changed.emit();
  }
}
