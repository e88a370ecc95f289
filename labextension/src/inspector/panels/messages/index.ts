import { clearIcon, filterIcon, pauseIcon, runIcon } from '@jupyterlab/ui-components';

import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { TailFilter } from '../../api';
import type { Context } from '../../context';
import { Section, setButton } from '../../section';
import { MessagesBody } from './body';
import type { MessagesModel } from './model';

/** The section, and how to have it show one group or channel. */
export interface MessagesSection {
  readonly section: Section;
  seek(name: string): void;
  /** Show with this filter. */
  arrange(filter: TailFilter, more: boolean): void;
  /** Whether the filters that are used seldom are shown, and when that changes. */
  readonly more: boolean;
  readonly changed: ISignal<unknown, void>;
}

export function messagesSection(context: Context, model: MessagesModel): MessagesSection {
  const { trans } = context;
  const body = new MessagesBody(context, model);
  const section = new Section({ name: 'messages', label: trans.__('Messages'), model, body, open: true });
  const pause = section.addButton('pause', pauseIcon, trans.__('Pause'), () => {
    model.paused = !model.paused;
  });
  model.changed.connect(() => {
    const label = model.paused ? trans.__('Go on') : trans.__('Pause');
    if (pause.getAttribute('aria-label') !== label) {
      setButton(pause, model.paused ? runIcon : pauseIcon, label);
    }
  });
  const changed = new Signal<object, void>(section);
  const more = (shows: boolean): void => {
    body.showsMore = shows;
    filter.setAttribute('aria-pressed', String(shows));
    changed.emit();
  };
  const filter = section.addButton('filter', filterIcon, trans.__('More filters'), () => {
    more(!body.showsMore);
  });
  filter.setAttribute('aria-pressed', 'false');
  section.addButton('clear', clearIcon, trans.__('Empty the list'), () => {
    model.clear();
  });
  return {
    section,
    seek: name => {
      body.seek(name);
    },
    arrange: (wanted, shows) => {
      body.arrange(wanted);
      more(shows);
    },
    get more() {
      return body.showsMore;
    },
    changed
  };
}
