import { type Checks, flag, optional, optionalText, whole, within } from './checks';

/** Options that every view has. */
export interface CommonOptions {
  /** How many messages of the past to show; null: all there are. */
  readonly history: number | null;
  /** Above the view; null: the group's name. */
  readonly title: string | null;
  /** Of what is shown, without header, in CSS pixels. */
  readonly height: number;
  readonly paused: boolean;
}

export const COMMON_CHECKS: Checks<CommonOptions> = {
  history: optional((value, name) => whole(value, name, 0, 10_000_000)),
  title: optionalText,
  height: (value, name) => within(value, name, 80, 4000),
  paused: flag
};
