import type uPlot from 'uplot';

import { formatNumber, grouped } from '../format';
import type { Model } from './runs';
import type { Options } from './options';
import type { Theme } from '../theme';

/** Ticks of a time axis, by their distance in seconds: the usual text, and those where a year, a day, … begins. */
const TIMES: (string | number | null)[][] = [
  [86_400 * 365, '{YYYY}', null, null, null, null, null, null, 1],
  [86_400 * 28, '{MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [86_400, '{D} {MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [3600, '{HH}:{mm}', '\n{D} {MMM} {YYYY}', null, '\n{D} {MMM}', null, null, null, 1],
  [60, '{HH}:{mm}', '\n{D} {MMM} {YYYY}', null, '\n{D} {MMM}', null, null, null, 1],
  [1, '{HH}:{mm}:{ss}', '\n{D} {MMM} {YYYY}', null, '\n{D} {MMM}', null, null, null, 1],
  [0.001, ':{ss}.{fff}', '\n{D} {MMM} {YYYY}, {HH}:{mm}', null, '\n{D} {MMM}, {HH}:{mm}', null, '\n{HH}:{mm}', null, 1]
];

/** Distances of ticks where only whole numbers make sense. */
const WHOLE = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map(digit => digit * 10 ** power)).flat();

/** Both axes in the page's colours and type. */
export function makeAxes(model: Model, options: Options, theme: Theme): uPlot.Axis[] {
  const common: uPlot.Axis = {
    stroke: theme.muted,
    font: `11px ${theme.font}`,
    labelFont: `12px ${theme.font}`,
    labelSize: 20,
    labelGap: 0,
    border: { show: false }
  };
  return [
    {
      ...common,
      ...ticksOfX(model),
      gap: 6,
      // A time axis has a second line for the date.
      size: model.axis === 'time' || model.axis === null ? 44 : 30,
      grid: { show: model.axis !== 'labels', stroke: theme.grid, width: 1 },
      ticks: { show: true, stroke: theme.grid, width: 1, size: 4 },
      ...(options.x_label === null ? nameOfX(model) : { label: options.x_label })
    },
    {
      ...common,
      gap: 8,
      space: 36,
      size: widthOfLabels,
      values: (_, splits) => numberLabels(splits),
      grid: { show: true, stroke: theme.grid, width: 1 },
      ticks: { show: false },
      ...(options.y_label === null ? {} : { label: options.y_label })
    }
  ];
}

/** Labels of ticks, all with as many decimals as the finest of them needs. */
export function numberLabels(ticks: readonly number[]): string[] {
  const largest = Math.max(0, ...ticks.map(Math.abs));
  const step = Math.abs((ticks[1] ?? 0) - (ticks[0] ?? 0));
  if (largest >= 1e6 || (step > 0 && step < 1e-5)) {
    return ticks.map(formatNumber);
  }
  const decimals = step > 0 ? Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)) : 0;
  const needed = ticks.every(tick => Math.abs(Number(tick.toFixed(decimals)) - tick) < step * 1e-3) ? decimals : decimals + 1;
  return ticks.map(tick => tick.toFixed(needed).replace(/^-/, '−')).map(grouped);
}

function ticksOfX(model: Model): uPlot.Axis {
  switch (model.axis) {
    case 'labels':
      return { space: 1, splits: (u, _, low, high) => labelTicks(u, model.labels, low, high), values: (_, splits) => splits.map(i => model.labels[i] ?? '') };
    case 'time':
    case null:
      return { space: 84, values: TIMES };
    case 'number':
    case 'rows':
      return { space: 64, values: (u, splits) => withinEdge(u, splits, numberLabels(splits)), ...(model.axis === 'rows' || model.axisName === 'step' ? { incrs: WHOLE } : {}) };
  }
}

/** Labels without one that the right edge would cut through. */
function withinEdge(u: uPlot, splits: readonly number[], labels: readonly string[]): string[] {
  return labels.map((label, i) => (u.bbox.width > 0 && u.valToPos(splits[i] ?? 0, 'x') + label.length * 3.2 > u.bbox.width / devicePixelRatio + 14 ? '' : label));
}

/** As many labels as have room, always the same ones. */
function labelTicks(u: uPlot, labels: readonly string[], low: number, high: number): number[] {
  u.ctx.save();
  u.ctx.font = `${11 * devicePixelRatio}px ${fontFamily(u)}`;
  const widest = Math.max(1, ...labels.slice(0, 200).map(label => u.ctx.measureText(label).width)) + 14 * devicePixelRatio;
  u.ctx.restore();
  const room = u.bbox.width / Math.max(high - low, 1e-9);
  const every = Math.max(1, Math.ceil(widest / Math.max(room, 1e-9)));
  const first = Math.max(0, Math.ceil(low));
  const ticks: number[] = [];
  for (let i = first; i <= Math.min(high, labels.length - 1); i++) {
    if (i % every === 0) {
      ticks.push(i);
    }
  }
  return ticks;
}

function fontFamily(u: uPlot): string {
  return getComputedStyle(u.root).fontFamily || 'sans-serif';
}

function nameOfX(model: Model): uPlot.Axis {
  return model.axis === 'time' || model.axis === 'labels' || model.axis === null || model.axisName === '' ? {} : { label: model.axisName };
}

function widthOfLabels(u: uPlot, values: string[] | null, axisIndex: number, cycle: number): number {
  const axis = u.axes[axisIndex];
  if (cycle > 1 && axis !== undefined) {
    // uPlot lays out again until sizes agree: a size found once must not change any more.
    return (axis as { _size?: number })._size ?? 48;
  }
  const longest = (values ?? []).reduce((sofar, value) => (value !== null && value.length > sofar.length ? value : sofar), '');
  u.ctx.save();
  u.ctx.font = `${11 * devicePixelRatio}px ${fontFamily(u)}`;
  const width = u.ctx.measureText(longest).width / devicePixelRatio;
  u.ctx.restore();
  return Math.ceil(Math.max(28, width + 16));
}
