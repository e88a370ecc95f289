import type { Line, Lines } from './lines';

/** What a reader wants to see of a log. */
export interface Wish {
  /** Words that stand somewhere in the line; upper or lower case is the same. */
  readonly text: string;
  /** The least level, as a number; 0: all. What has no level counts as info. */
  readonly level: number;
}

const INFO = 20;

/** The lines that a reader wants to see, kept up as lines come and go. */
export class Selection {
  private shown: Line[] = [];
  private start = 0;
  private read = 0;
  private wish: Wish = { text: '', level: 0 };
  private source: Lines | null = null;

  get length(): number {
    return this.shown.length - this.start;
  }

  at(index: number): Line {
    return this.shown[this.start + index] as Line;
  }

  /** Bring it up to date. Returns whether it began anew. */
  update(lines: Lines, wish: Wish): boolean {
    const first = lines.isEmpty ? Infinity : lines.at(0).number;
    const anew = lines !== this.source || wish.text !== this.wish.text || wish.level !== this.wish.level || lines.isEmpty;
    if (anew) {
      this.shown = [];
      this.start = this.read = 0;
      this.source = lines;
      this.wish = wish;
    }
    while (this.start < this.shown.length && (this.shown[this.start] as Line).number < first) {
      this.start += 1;
    }
    if (this.start > lines.most) {
      this.shown = this.shown.slice(this.start);
      this.start = 0;
    }
    const needle = wish.text.toLowerCase();
    for (let i = Math.max(0, this.read + 1 - first); i < lines.length; i++) {
      const line = lines.at(i);
      this.read = line.number;
      if (line.isGap || matches(line, needle, wish.level)) {
        this.shown.push(line);
      }
    }
    return anew;
  }
}

function matches(line: Line, needle: string, level: number): boolean {
  if ((line.level?.number ?? INFO) < level) {
    return false;
  }
  return needle === '' || `${line.logger} ${line.text} ${line.more}`.toLowerCase().includes(needle);
}
