import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { element, setText } from '../views/dom';
import type { Following } from './following';
import { baseName } from './parts/format';

/** Below the state line: whether the lists show everything, or only what belongs to the notebook in front. */
export class FollowLine extends Widget {
  private readonly button = element('button', 'nbc-follow');
  private readonly words = element('span', 'nbc-follow-words');
  private readonly note = element('div', 'nbc-state-detail');

  constructor(
    private readonly following: Following,
    private readonly trans: TranslationBundle,
    toggle: () => void
  ) {
    super();
    this.addClass('nbc-follow-line');
    this.button.type = 'button';
    const mark = element('span', 'nbc-follow-mark');
    mark.setAttribute('aria-hidden', 'true');
    this.button.append(mark, this.words);
    this.button.addEventListener('click', toggle);
    this.node.append(this.button, this.note);
    following.changed.connect(this.tell, this);
    this.tell();
  }

  override dispose(): void {
    this.following.changed.disconnect(this.tell, this);
    super.dispose();
  }

  private tell(): void {
    const { on, path, refusal } = this.following;
    const { trans } = this;
    this.button.setAttribute('aria-pressed', String(on));
    setText(this.words, !on ? trans.__('Only this notebook') : path === '' ? trans.__('No notebook is in front') : trans.__('Only %1', baseName(path)));
    this.button.title = on ? trans.__('Show everything of this server again\n%1', path) : trans.__('Show only what belongs to the notebook in front: its groups, channels, consumers and clients');
    setText(this.note, on ? (refusal ?? '') : '');
    this.note.hidden = this.note.textContent === '';
  }
}
