import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { list, number, record, text } from './api';
import type { TailFilter } from './api';

/** Under which a reader's arrangement is kept. */
export const KEY = 'nbchannels:inspector';
/** Milliseconds after a change until it is kept. */
const PATIENCE = 300;
/** Characters of a filter that are kept. */
const LONGEST = 200;

/** Where it is kept: JupyterLab's state, which is the reader's own. */
export interface Store {
  fetch(key: string): Promise<unknown>;
  save(key: string, value: ReadonlyPartialJSONObject): Promise<unknown>;
}

/** How the reader has arranged the inspector. Nothing of what is shown in it: no name of a row, no message. */
export interface Arrangement {
  /** Sections that are open. */
  open: readonly string[];
  /** Filters and orders of the lists, by section. */
  lists: Readonly<Record<string, { readonly filter: string; readonly sort: string }>>;
  messages: Pick<TailFilter, 'name' | 'text' | 'least' | 'kind'> & { readonly more: boolean };
  paused: boolean;
  follow: boolean;
}

/** What can be arranged. */
export interface Arranged {
  arrangement: Arrangement;
  /** Calls back when something may have changed. */
  watch(callback: () => void): void;
}

/** Remembers an arrangement over a reload. */
export class Memory {
  private kept = '';
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly store: Store,
    private readonly arranged: Arranged
  ) {}

  /** Arrange it as it was, and keep it from now on. */
  async restore(): Promise<void> {
    const known = await this.store.fetch(KEY);
    if (known !== undefined && known !== null) {
      this.arranged.arrangement = read(known, this.arranged.arrangement);
    }
    this.kept = JSON.stringify(this.arranged.arrangement);
    this.arranged.watch(() => {
      this.timer ??= setTimeout(() => {
        this.timer = undefined;
        this.keep();
      }, PATIENCE);
    });
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private keep(): void {
    const now = JSON.stringify(this.arranged.arrangement);
    if (now !== this.kept) {
      this.kept = now;
      this.store.save(KEY, JSON.parse(now) as ReadonlyPartialJSONObject).catch((error: unknown) => {
        console.warn('nbchannels: how the inspector is arranged could not be kept', error);
      });
    }
  }
}

/** What was kept, as far as it can be understood. */
function read(kept: unknown, otherwise: Arrangement): Arrangement {
  const told = record(kept);
  const { name, text: words, least, kind, more } = record(told.messages);
  return {
    open: Array.isArray(told.open) ? list(told.open).map(text) : otherwise.open,
    lists: Object.fromEntries(
      Object.entries(record(told.lists)).map(([section, one]) => [section, { filter: text(record(one).filter).slice(0, LONGEST), sort: text(record(one).sort) }])
    ),
    messages: {
      name: text(name).slice(0, LONGEST),
      text: text(words).slice(0, LONGEST),
      least: typeof least === 'number' ? Math.max(0, number(least)) : null,
      kind: kind === 'group' || kind === 'channel' ? kind : null,
      more: more === true
    },
    paused: told.paused === true,
    follow: told.follow === true
  };
}
