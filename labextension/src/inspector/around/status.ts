import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import type { Disposer } from '../../client/types';
import { element, setText } from '../../views/dom';
import { formatCount } from '../../views/format';
import type { Announcements } from '../announcements';
import type { InspectorClient } from '../api';
import type { LayerModel } from '../panels/layer/model';
import { formatRate } from '../parts/format';
import { describeState, toneOf } from '../state';

/**
 * The chip in the status bar: state, problems, and a rate while somebody looks at one. It asks nothing: the state is the
 * connection's, problems are announced, the rate is what an open section has asked for. A click opens the sidebar.
 */
export class StatusChip extends Widget {
  private readonly button = element('button', 'nbc-state nbc-status-chip');
  private readonly words = element('span');
  private readonly watch: Disposer;

  constructor(
    private readonly client: InspectorClient,
    private readonly layer: LayerModel,
    private readonly announcements: Announcements,
    private readonly trans: TranslationBundle,
    open: () => void
  ) {
    super();
    this.addClass('nbc-status-item');
    const dot = element('span', 'nbc-dot');
    dot.setAttribute('aria-hidden', 'true');
    this.button.type = 'button';
    this.button.append(dot, this.words);
    this.button.addEventListener('click', open);
    this.node.append(this.button);
    this.watch = client.watchState(() => {
      this.tell();
    });
    layer.changed.connect(this.tell, this);
    announcements.changed.connect(this.tell, this);
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.watch.dispose();
      this.layer.changed.disconnect(this.tell, this);
      this.announcements.changed.disconnect(this.tell, this);
      super.dispose();
    }
  }

  private tell(): void {
    const { client, trans, layer } = this;
    const { state } = client;
    const isLive = state.status === 'live';
    // A page that needs no connection is no trouble.
    const isIdle = state.status === 'connecting';
    const { problems } = this.announcements;
    const rate = layer.isOn ? (layer.rate?.now ?? 0) : 0;
    const parts = [
      isIdle ? trans.__('Channels') : isLive && state.trouble === undefined ? trans.__('Channels live') : trans.__('Channels %1', describeState(state, trans, Date.now() / 1000)),
      ...(isLive && rate > 0 ? [formatRate(rate)] : []),
      ...(problems > 0 ? [trans._n('%1 problem', '%1 problems', problems)] : [])
    ];
    const text = parts.join(' · ');
    this.button.dataset['tone'] = problems > 0 ? 'bad' : isIdle ? 'idle' : toneOf(state);
    setText(this.words, text);
    const title = [
      isIdle ? trans.__('No view of this page needs the server now.') : state.detail,
      ...(!layer.isOn || layer.facts === null
        ? []
        : [trans.__('%1 groups, %2 channels', formatCount(layer.facts.statistics['groups'] ?? 0), formatCount(layer.facts.statistics['channels'] ?? 0))]),
      problems > 0 ? trans.__('Click to show the problems.') : trans.__('Click to show the channels.')
    ].join('\n');
    if (this.button.title !== title) {
      this.button.title = title;
    }
    const action = problems > 0 ? trans.__('Show the problems') : trans.__('Show the channels');
    const label = `${text}. ${action}`;
    if (this.button.getAttribute('aria-label') !== label) {
      this.button.setAttribute('aria-label', label);
    }
  }
}
