import type { Window } from '../checks';
import type { Track } from './track';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 300;
const HEIGHT = 40;
/** Columns of the picture: more samples than this are drawn by their lowest and highest. */
const COLUMNS = 150;

/** Paths of a small curve, in a box of 300 × 40: the line, and a stroke where messages are missing. */
export function curveOf(track: Track, window: Window | null): { readonly line: string; readonly gaps: string } {
  const start = track.startOf(window);
  const { values } = track;
  const count = values.length - start;
  let low = Infinity;
  let high = -Infinity;
  for (let i = start; i < values.length; i++) {
    const value = values[i] as number;
    if (Number.isFinite(value)) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (count < 2 || low > high) {
    return { line: '', gaps: '' };
  }
  const xOf = (index: number): string => (((index - start) / (count - 1)) * WIDTH).toFixed(1);
  const yOf = (value: number): string => (high === low ? HEIGHT / 2 : HEIGHT - 2 - ((value - low) / (high - low)) * (HEIGHT - 4)).toFixed(1);
  let line = '';
  let gaps = '';
  let pen = 'M';
  const step = Math.max(1, Math.ceil(count / COLUMNS));
  for (let i = start; i < values.length; i += step) {
    const end = Math.min(values.length, i + step);
    let isBroken = false;
    for (let index = i; index < end; index++) {
      isBroken ||= !Number.isFinite(values[index]);
      if (track.gaps.has(index) && index > start) {
        pen = 'M';
        gaps += `M${xOf(index - 0.5)} 0V${HEIGHT}`;
      }
    }
    for (const index of extremes(values, i, end)) {
      line += `${pen}${xOf(index)} ${yOf(values[index] as number)}`;
      pen = 'L';
    }
    if (isBroken) {
      pen = 'M';
    }
  }
  return { line, gaps };
}

/** Indices of the lowest and the highest value, in their order; the only one once, none if there is none. */
function extremes(values: readonly number[], start: number, end: number): readonly number[] {
  let low = -1;
  let high = -1;
  for (let i = start; i < end; i++) {
    const value = values[i] as number;
    if (Number.isFinite(value)) {
      low = low < 0 || value < (values[low] as number) ? i : low;
      high = high < 0 || value > (values[high] as number) ? i : high;
    }
  }
  return low < 0 ? [] : low === high ? [low] : [Math.min(low, high), Math.max(low, high)];
}

/** The way a value came, small. */
export class Curve {
  readonly element = document.createElementNS(SVG, 'svg');
  private readonly line = document.createElementNS(SVG, 'path');
  private readonly gaps = document.createElementNS(SVG, 'path');

  constructor() {
    this.element.setAttribute('class', 'nbc-curve');
    this.element.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    this.element.setAttribute('preserveAspectRatio', 'none');
    this.element.setAttribute('aria-hidden', 'true');
    this.gaps.setAttribute('class', 'nbc-curve-gap');
    this.element.append(this.gaps, this.line);
  }

  show(track: Track, window: Window | null): void {
    const { line, gaps } = curveOf(track, window);
    this.line.setAttribute('d', line);
    this.gaps.setAttribute('d', gaps);
  }
}
