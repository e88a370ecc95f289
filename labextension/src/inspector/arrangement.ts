import type { ISignal } from '@lumino/signaling';

import type { Following } from './following';
import type { Arranged, Arrangement } from './memory';
import type { MessagesSection } from './panels/messages';
import type { MessagesModel } from './panels/messages/model';
import { NO_FILTER } from './panels/messages/model';
import type { Sidebar } from './sidebar';

/** A list with a filter and an order. */
interface List {
  filter: string;
  sort: string;
  readonly changed: ISignal<unknown, void>;
}

/** The parts of the inspector whose arrangement is remembered. */
export class ArrangedInspector implements Arranged {
  /** @param lists - by the name of their section */
  constructor(
    private readonly sidebar: Sidebar,
    private readonly lists: Readonly<Record<string, List>>,
    private readonly messages: MessagesModel,
    private readonly tail: MessagesSection,
    private readonly following: Following
  ) {}

  get arrangement(): Arrangement {
    const { name, text, least, kind } = this.messages.filter;
    return {
      open: this.sidebar.openSections,
      lists: Object.fromEntries(Object.entries(this.lists).map(([section, { filter, sort }]) => [section, { filter, sort }])),
      messages: { name, text, least, kind, more: this.tail.more },
      paused: this.messages.paused,
      follow: this.following.on
    };
  }

  set arrangement({ open, lists, messages, paused, follow }: Arrangement) {
    this.sidebar.openSections = open;
    for (const [section, model] of Object.entries(this.lists)) {
      const known = lists[section];
      if (known !== undefined) {
        model.filter = known.filter;
        model.sort = known.sort;
      }
    }
    const { more, ...filter } = messages;
    this.tail.arrange({ ...NO_FILTER, ...filter }, more);
    this.messages.paused = paused;
    this.following.on = follow;
  }

  watch(callback: () => void): void {
    for (const { changed } of [...Object.values(this.lists), this.messages, this.following, this.tail]) {
      changed.connect(callback);
    }
    this.sidebar.toggled.connect(callback);
  }
}
