import type { Disposer } from '../client/types';
import { IconButton } from './dom';

const LABEL = 'Copy as CSV';
/** How long the button says that it has copied, in ms. */
const TOLD = 1500;

/** Copies what is shown to the clipboard, and says whether it could. */
export class CopyButton extends IconButton implements Disposer {
  private timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param text - what is to be copied, made when it is asked for
   * @param complain - a sentence for the reader, null when all is well
   */
  constructor(
    private readonly text: () => string,
    private readonly complain: (sentence: string | null) => void
  ) {
    super('copy', LABEL, () => void this.write());
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private async write(): Promise<void> {
    try {
      // There is no clipboard on a page that came by plain http from another computer.
      await (navigator.clipboard as Clipboard | undefined ?? missing()).writeText(this.text());
      this.complain(null);
      this.set('done', 'Copied');
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.set('copy', LABEL), TOLD);
    } catch (error) {
      this.complain(`This could not be copied: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function missing(): never {
  throw new Error('the browser gives pages a clipboard over https or from this computer only.');
}
