import type { Kind } from './kind';
import { LOG } from './log/kind';
import { PLOT } from './plot/kind';
import { TABLE } from './table/kind';
import { VALUE } from './value/kind';

/** All kinds of views, by the name that stands in a specification. */
export const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['plot', PLOT],
  ['value', VALUE],
  ['log', LOG],
  ['table', TABLE]
]);
