import type { Disposer } from '../client/types';

/** What the canvas needs to know of the page's looks; all else follows by style sheet. */
export interface Theme {
  readonly dark: boolean;
  readonly foreground: string;
  readonly muted: string;
  readonly grid: string;
  readonly background: string;
  readonly alert: string;
  readonly font: string;
  readonly palette: readonly string[];
}

/**
 * After Okabe and Ito, told apart by readers who are colour-blind; darkened or brightened so that each has a contrast of
 * at least 3 : 1 to its background. From the ninth series on the colours come again, with dashes.
 */
const LIGHT = ['#0072b2', '#d55e00', '#00875f', '#b4478f', '#a87000', '#2c86c4', '#6f4bb8', '#56636f'];
const DARK = ['#5ab8f2', '#ff9152', '#3dd6a3', '#f09bd0', '#f2c14e', '#9fc3ff', '#c3a6ff', '#b6c2cd'];

const DASHES: readonly (readonly number[])[] = [[], [6, 4]];

/** Dash pattern of the series at `index`, in CSS pixels. */
export function dashOf(index: number): readonly number[] {
  return DASHES[Math.floor(index / LIGHT.length) % DASHES.length] ?? [];
}

/** Colour of the series at `index`. */
export function colourOf(theme: Theme, index: number): string {
  return theme.palette[index % theme.palette.length] ?? theme.foreground;
}

/** Read the looks that the style sheet has given `view`. */
export function readTheme(view: HTMLElement): Theme {
  const style = getComputedStyle(view);
  const read = (name: string, fallback: string): string => style.getPropertyValue(name).trim() || fallback;
  const dark = isDark(style.backgroundColor);
  return {
    dark,
    foreground: read('--nbc-foreground', dark ? '#e6e6e6' : '#1f2328'),
    muted: read('--nbc-muted', dark ? '#a8a8a8' : '#5f6670'),
    grid: dark ? 'rgba(255, 255, 255, 0.09)' : 'rgba(15, 23, 42, 0.08)',
    background: style.backgroundColor || (dark ? '#111111' : '#ffffff'),
    alert: dark ? '#ffb454' : '#b45309',
    font: style.fontFamily || 'system-ui, sans-serif',
    palette: dark ? DARK : LIGHT
  };
}

/** Whether a computed colour (`rgb(…)`) is nearer to black than to white. */
export function isDark(colour: string): boolean {
  const parts = colour.match(/[\d.]+/g)?.map(Number) ?? [];
  const [red = 255, green = 255, blue = 255, alpha = 1] = parts;
  return alpha > 0 && 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}

/** Call back when the page's theme may have changed. */
export function watchTheme(changed: () => void): Disposer {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const soon = (): void => {
    changed();
    // JupyterLab's style sheet may arrive after the attribute.
    clearTimeout(timer);
    timer = setTimeout(changed, 400);
  };
  const observer = new MutationObserver(soon);
  const attributes = ['data-jp-theme-name', 'data-jp-theme-light', 'data-theme', 'data-vscode-theme-kind', 'class'];
  observer.observe(document.body, { attributes: true, attributeFilter: attributes });
  const media = typeof matchMedia === 'function' ? matchMedia('(prefers-color-scheme: dark)') : null;
  media?.addEventListener('change', soon);
  return {
    dispose: () => {
      clearTimeout(timer);
      observer.disconnect();
      media?.removeEventListener('change', soon);
    }
  };
}
