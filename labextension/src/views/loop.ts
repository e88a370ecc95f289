import type { Disposer } from '../client/types';

/** Calls back once a second while visible, for what changes by time alone. */
const TICK = 1000;

/**
 * Draws when something has changed, at most once for each frame of the screen, and only while the element can be seen.
 * What changes meanwhile is drawn when it comes into view.
 */
export class Loop implements Disposer {
  private isDirty = true;
  private frame = 0;
  private onScreen = typeof IntersectionObserver === 'undefined';
  private timer: ReturnType<typeof setInterval> | undefined;
  private readonly stops: (() => void)[] = [];

  constructor(
    private readonly element: HTMLElement,
    private readonly draw: () => void,
    private readonly tick: () => void,
    private readonly resized: (width: number) => void
  ) {}

  start(): void {
    if (typeof IntersectionObserver !== 'undefined') {
      const seen = new IntersectionObserver(entries => {
        this.onScreen = entries[entries.length - 1]?.isIntersecting ?? true;
        this.update();
      });
      seen.observe(this.element);
      this.stops.push(() => seen.disconnect());
    }
    if (typeof ResizeObserver !== 'undefined') {
      const size = new ResizeObserver(entries => this.resized(entries[entries.length - 1]?.contentRect.width ?? 0));
      size.observe(this.element);
      this.stops.push(() => size.disconnect());
    }
    const update = (): void => this.update();
    document.addEventListener('visibilitychange', update);
    this.stops.push(() => document.removeEventListener('visibilitychange', update));
    this.update();
  }

  /** Something has changed. */
  request(): void {
    this.isDirty = true;
    this.schedule();
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    clearInterval(this.timer);
    this.onScreen = false;
    for (const stop of this.stops) {
      stop();
    }
  }

  private get visible(): boolean {
    return this.onScreen && document.visibilityState !== 'hidden';
  }

  private update(): void {
    clearInterval(this.timer);
    this.timer = this.visible ? setInterval(this.tick, TICK) : undefined;
    this.schedule();
  }

  private schedule(): void {
    if (this.isDirty && this.visible && this.frame === 0) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.isDirty = false;
        this.draw();
      });
    }
  }
}
