import { element, setText } from '../dom';
import { formatNumber } from '../format';
import { LeftOut } from '../leftout';

/** One series in the legend. */
export interface Entry {
  readonly name: string;
  readonly colour: string;
  readonly dashed: boolean;
  readonly hidden: boolean;
  /** NaN: no value here. */
  readonly value: number;
}

/** What stands below the plot. */
export interface LegendContent {
  readonly entries: readonly Entry[];
  readonly undrawn: ReadonlyMap<string, string>;
  /** Number of the present run, and how many old ones are visible. */
  readonly run: number;
  readonly oldRuns: number;
}

interface Item {
  readonly button: HTMLButtonElement;
  readonly swatch: HTMLElement;
  readonly value: HTMLElement;
}

/** Series with colour, name and value; a click (or the space bar) shows and hides. Also says what is not drawn. */
export class Legend {
  readonly element = element('div', 'nbc-legend');
  private readonly list = element('div', 'nbc-entries');
  private readonly run = element('span', 'nbc-run');
  private readonly undrawn = new LeftOut('not drawn');
  private readonly items = new Map<string, Item>();

  constructor(private readonly onToggle: (name: string) => void) {
    this.list.setAttribute('role', 'group');
    this.list.setAttribute('aria-label', 'Series');
    this.element.append(this.list, this.undrawn.element);
  }

  show(content: LegendContent): void {
    for (const [name, { button }] of this.items) {
      if (!content.entries.some(entry => entry.name === name)) {
        button.remove();
        this.items.delete(name);
      }
    }
    for (const entry of content.entries) {
      this.showEntry(entry);
    }
    setText(this.run, content.run > 1 ? `run ${content.run}` : '');
    this.run.title = content.oldRuns > 0 ? `x went back to the start: a new run began. Earlier runs (${content.oldRuns}) are paler.` : '';
    if (content.run > 1) {
      this.list.append(this.run);
    } else {
      this.run.remove();
    }
    this.undrawn.show(content.undrawn);
  }

  private showEntry(entry: Entry): void {
    const { button, swatch, value } = this.items.get(entry.name) ?? this.add(entry.name);
    swatch.style.setProperty('--nbc-colour', entry.colour);
    swatch.classList.toggle('nbc-dashed', entry.dashed);
    button.setAttribute('aria-pressed', String(!entry.hidden));
    button.title = `${entry.name}: ${entry.hidden ? 'show' : 'hide'}`;
    setText(value, formatNumber(entry.value));
  }

  private add(name: string): Item {
    const button = element('button', 'nbc-entry');
    button.type = 'button';
    const swatch = element('span', 'nbc-swatch');
    swatch.setAttribute('aria-hidden', 'true');
    const value = element('span', 'nbc-value');
    button.append(swatch, element('span', 'nbc-name', name.slice(0, 80)), value);
    button.addEventListener('click', () => this.onToggle(name));
    this.list.append(button);
    const item = { button, swatch, value };
    this.items.set(name, item);
    return item;
  }
}
