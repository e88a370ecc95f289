import { settingOf } from '../checks';
import { toCsv } from '../csv';
import { element } from '../dom';
import { isoTime } from '../format';
import type { Presentation, Surroundings } from '../kind';
import { LeftOut } from '../leftout';
import { DEFAULTS, type Options } from './options';
import { Readouts } from './readouts';
import { Tile } from './tile';
import { wordsOf } from './words';

/** Numbers to read from afar, each with its change and its curve. */
export class ValuePresentation implements Presentation<Options, Readouts> {
  readonly body = element('div', 'nbc-tiles');
  readonly below: readonly HTMLElement[];
  readonly tools = [];
  private readonly leftOut = new LeftOut('not shown');
  private readonly tiles = new Map<string, Tile>();
  private model = new Readouts(null);
  private options: Options = DEFAULTS;

  constructor(private readonly surroundings: Surroundings) {
    this.below = [this.leftOut.element];
    this.body.setAttribute('role', 'group');
  }

  configure(model: Readouts, options: Options): void {
    this.model = model;
    this.options = options;
    const { title } = options;
    this.body.setAttribute('aria-label', `Live values of group ${this.surroundings.group}${title === null ? '' : `: ${title}`}`);
  }

  draw(): void {
    const { tracks } = this.model;
    const names = [...tracks.keys()];
    if ([...this.tiles.keys()].join('\0') !== names.join('\0')) {
      const kept = names.map(name => [name, this.tiles.get(name) ?? new Tile(name)] as const);
      this.tiles.clear();
      for (const [name, tile] of kept) {
        this.tiles.set(name, tile);
      }
      this.body.replaceChildren(...kept.map(([, tile]) => tile.element));
    }
    for (const [name, track] of tracks) {
      this.tiles.get(name)?.show(wordsOf(name, track, this.options), track, this.options.window);
    }
  }

  tell(): void {
    this.leftOut.show(this.model.undrawn);
  }

  summary(): string {
    const said = [...this.model.tracks].slice(0, 4).map(([name, track]) => {
      const { value, unit, state } = wordsOf(name, track, this.options);
      return `${name} ${value}${unit === '' ? '' : ` ${unit}`}${state === null ? '' : `, ${state.text}`}`;
    });
    const more = this.model.tracks.size - said.length;
    return said.length === 0 ? `Waiting for messages on group ${this.surroundings.group}.` : `${said.join('; ')}${more > 0 ? `, and ${more} more` : ''}.`;
  }

  /** A row for each sample that the curves show. */
  csv(): string {
    const rows = [...this.model.tracks].flatMap(([name, track]) => {
      const start = track.startOf(this.options.window);
      return track.values.slice(start).map((value, i) => {
        const index = start + i;
        const isLast = index === track.values.length - 1;
        return [name, isoTime(track.times[index] ?? NaN), isLast && track.text !== null ? track.text : value, settingOf(this.options.unit, name)];
      });
    });
    return toCsv(['field', 'time', 'value', 'unit'], rows);
  }

  dispose(): void {
    this.tiles.clear();
  }
}
