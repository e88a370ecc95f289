/**
 * The specification a view is drawn from. It comes out of a notebook that may not be trusted, so everything in it is checked:
 * what is not exactly as described here is an error with a sentence, and nothing of it ever becomes HTML or a URL.
 */

import { record, show, SpecificationError } from './checks';
import type { Kind } from './kind';
import type { CommonOptions } from './options';

/** The MIME type of a view's specification in a cell's output. */
export const MIME_TYPE = 'application/vnd.nbchannels.view.v1+json';

export interface Specification {
  readonly version: 1;
  readonly id: string;
  readonly group: string;
  readonly kind: string;
  readonly options: CommonOptions;
}

const GROUP = /^[A-Za-z0-9_.-]{1,99}$/;
const ID = /^[0-9a-f]{16}$/;

/** The specification, with the defaults of its kind filled in. Throws `SpecificationError`. */
export function parseSpecification(value: unknown, kinds: ReadonlyMap<string, Kind>): Specification {
  const map = record(value, 'The specification of this view');
  if (map['version'] !== 1) {
    throw new SpecificationError(
      `This view was made by another version of nbchannels (its format is ${show(map['version'])}, this page knows 1). Run the cell again, or update nbchannels and reload the page.`
    );
  }
  const { id, group, kind } = map;
  const known = typeof kind === 'string' ? kinds.get(kind) : undefined;
  if (typeof kind !== 'string' || known === undefined) {
    throw new SpecificationError(`This page cannot draw a view of kind ${show(kind)}; it knows: ${[...kinds.keys()].join(', ')}. Update nbchannels and reload the page.`);
  }
  if (typeof id !== 'string' || !ID.test(id)) {
    throw new SpecificationError(`The view's id must be 16 hexadecimal digits, not ${show(id)}.`);
  }
  if (typeof group !== 'string' || !GROUP.test(group)) {
    throw new SpecificationError(`The view's group must be a name of up to 99 letters, digits, "-", "_" and ".", not ${show(group)}.`);
  }
  for (const key of Object.keys(map)) {
    if (!['version', 'id', 'group', 'kind', 'options'].includes(key)) {
      throw new SpecificationError(`The specification of this view has an unknown field ${show(key)}.`);
    }
  }
  return { version: 1, id, group, kind, options: mergeOptions(known, known.defaults, map['options'] ?? {}) };
}

/** `options` with `changes` laid over them; all or, with a `SpecificationError`, none. */
export function mergeOptions<O extends CommonOptions>(kind: Pick<Kind<O>, 'checks'>, options: O, changes: unknown): O {
  const checks = kind.checks as unknown as Readonly<Record<string, (value: unknown, name: string) => unknown>>;
  const merged = { ...options } as Record<string, unknown>;
  for (const [name, value] of Object.entries(record(changes, 'The options of this view'))) {
    if (!Object.hasOwn(checks, name)) {
      throw new SpecificationError(`Unknown option ${show(name)}; the options are: ${Object.keys(checks).join(', ')}.`);
    }
    merged[name] = checks[name]?.(value, name);
  }
  return merged as unknown as O;
}

/** Whether going from one to the other means to read the group's messages again. */
export function needsReread<O extends CommonOptions>(kind: Pick<Kind<O>, 'reread'>, before: O, after: O): boolean {
  return kind.reread.some(key => JSON.stringify(before[key as keyof O]) !== JSON.stringify(after[key as keyof O]));
}
