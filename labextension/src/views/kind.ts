import type { Disposer } from '../client/types';
import type { Checks } from './checks';
import type { IconButton } from './dom';
import type { CommonOptions } from './options';
import type { Theme } from './theme';

/** A message as a model takes it. */
export interface Arrival {
  readonly content: unknown;
  /** Seconds since 1970. */
  readonly time: number;
}

/** What a view holds of its group: pure data, bounded. */
export interface ViewModel {
  /** Rises with every change. */
  readonly version: number;
  /** How many messages were taken in. */
  readonly messages: number;
  /** Nothing to show yet. */
  readonly isEmpty: boolean;
  /** Something the reader should know, in a sentence; null for nothing. */
  readonly notice: string | null;
  /** Messages are missing here; `text` says so in words. */
  interrupt(text: string): void;
  /** Hold nothing any more. */
  clear(): void;
}

/** What the frame hands to what is in it. */
export interface Surroundings {
  readonly group: string;
  /** What the reader chose, by name; it outlives the view when its cell is run again. */
  readonly remembered: Map<string, unknown>;
  /** Ask to be drawn, and to have the words said anew. */
  request(): void;
}

/** The part of a view that is its kind's own; the frame around it is every view's. */
export interface Presentation<O extends CommonOptions = CommonOptions, M extends ViewModel = ViewModel> extends Disposer {
  /** What is seen on the stage. */
  readonly body: HTMLElement;
  /** What stands below the stage. */
  readonly below: readonly HTMLElement[];
  readonly tools: readonly IconButton[];
  /** The same as a table, for those who read rather than look; absent where it is one already. */
  readonly table?: { readonly element: HTMLElement; show(): void };
  /** Show this model in this way. Drawn afterwards. */
  configure(model: M, options: O, theme: Theme): void;
  /** Bring the picture up to date; for each frame of the screen at most, never while nobody can see it. */
  draw(): void;
  /** Bring the words up to date; a few times a second at most. */
  tell(): void;
  /** The width is another, in CSS pixels. */
  resize?(width: number): void;
  /** What is shown, in one sentence. */
  summary(): string;
  /** What is shown, as CSV. */
  csv(): string;
}

/** A kind of view: what it adds to the frame. */
export interface Kind<O extends CommonOptions = CommonOptions, M extends ViewModel = ViewModel> {
  readonly defaults: O;
  readonly checks: Checks<O>;
  /** Options after whose change the group's messages are read again. */
  readonly reread: readonly string[];
  /** While there is nothing to show: a message to try, what is lacking in those that came, and what is wanted. */
  readonly empty: { readonly example: string; readonly lacking: string; readonly wanted: string };
  model(options: O): M;
  /** Take in one message. Throws an error in words if it cannot be shown. */
  take(model: M, arrival: Arrival, options: O): void;
  present(surroundings: Surroundings): Presentation<O, M>;
}
