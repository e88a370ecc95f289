import { Signal } from '@lumino/signaling';

import { number, record } from './api';
import { Redaction } from './redact';

/** The id of the plugin, of its settings and of its schema. */
export const PLUGIN = 'nbchannels:inspector';

/** The reader's settings; what they mean stands in schema/inspector.json. */
export class Settings {
  readonly changed = new Signal<this, void>(this);
  /** Seconds between two questions of an open section. */
  interval = 1;
  /** Messages kept in the list. */
  messages = 1000;
  notify = true;
  redaction = new Redaction([]);

  /** Take over what the settings editor says; what is out of range is brought into it. */
  update(composite: unknown): void {
    const told = record(composite);
    this.interval = within(told.interval, 0.5, 60, 1);
    this.messages = Math.round(within(told.messages, 50, 1000, 1000));
    this.notify = told.notify !== false;
    this.redaction = new Redaction(Array.isArray(told.redact) ? told.redact.filter((glob): glob is string => typeof glob === 'string') : []);
    this.changed.emit();
  }
}

function within(value: unknown, low: number, high: number, otherwise: number): number {
  return typeof value === 'number' ? Math.min(Math.max(number(value), low), high) : otherwise;
}
