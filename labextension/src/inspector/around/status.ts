import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import type { Disposer } from '../../client/types';
import { element, setText } from '../../views/dom';
import { formatCount } from '../../views/format';
import type { InspectorClient } from '../api';
import type { ConsumersModel } from '../panels/consumers/model';
import type { LayerModel } from '../panels/layer/model';
import { formatRate } from '../parts/format';
import { describeState, toneOf } from '../state';

/** The chip in the status bar: state, rate, failures. A click opens the sidebar. */
export class StatusChip extends Widget {
  private readonly button = element('button', 'nbc-state nbc-status-chip');
  private readonly words = element('span');
  private readonly watch: Disposer;

  constructor(
    private readonly client: InspectorClient,
    private readonly layer: LayerModel,
    private readonly consumers: ConsumersModel,
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
    consumers.changed.connect(this.tell, this);
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.watch.dispose();
      this.layer.changed.disconnect(this.tell, this);
      this.consumers.changed.disconnect(this.tell, this);
      super.dispose();
    }
  }

  private tell(): void {
    const { client, trans, layer, consumers } = this;
    const { state } = client;
    const isLive = state.status === 'live';
    // A page that needs no connection is no trouble.
    const isIdle = state.status === 'connecting';
    const failed = isLive ? consumers.failed : 0;
    const rate = layer.rate?.now ?? 0;
    const parts = [
      isIdle ? trans.__('Channels') : isLive ? trans.__('Channels live') : trans.__('Channels %1', describeState(state, trans, Date.now() / 1000)),
      ...(isLive && rate > 0 ? [formatRate(rate)] : []),
      ...(failed > 0 ? [trans._n('%1 failure', '%1 failures', failed)] : [])
    ];
    const text = parts.join(' · ');
    this.button.dataset['tone'] = failed > 0 ? 'bad' : isIdle ? 'idle' : toneOf(state);
    setText(this.words, text);
    const title = [
      isIdle ? trans.__('No view of this page needs the server now.') : state.detail,
      ...(layer.facts === null ? [] : [trans.__('%1 groups, %2 channels', formatCount(layer.facts.statistics['groups'] ?? 0), formatCount(layer.facts.statistics['channels'] ?? 0))]),
      trans.__('Click to show the channels.')
    ].join('\n');
    if (this.button.title !== title) {
      this.button.title = title;
    }
    const label = `${text}. ${trans.__('Show the channels')}`;
    if (this.button.getAttribute('aria-label') !== label) {
      this.button.setAttribute('aria-label', label);
    }
  }
}
