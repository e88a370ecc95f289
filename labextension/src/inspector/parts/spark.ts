const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 60;
const HEIGHT = 16;

/** The last minute as a small picture; the number stands beside it. */
export class Sparkline {
  readonly element = document.createElementNS(SVG, 'svg');
  private readonly area = document.createElementNS(SVG, 'path');
  private readonly line = document.createElementNS(SVG, 'path');
  private shown = '';

  constructor() {
    const { element } = this;
    element.setAttribute('class', 'nbc-spark');
    element.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    element.setAttribute('preserveAspectRatio', 'none');
    element.setAttribute('aria-hidden', 'true');
    this.area.setAttribute('class', 'nbc-spark-area');
    this.line.setAttribute('class', 'nbc-spark-line');
    element.append(this.area, this.line);
    element.toggleAttribute('hidden', true);
  }

  /** @param points - from 0 to 1, oldest first */
  show(points: readonly (readonly [x: number, y: number])[]): void {
    const steps = points.map(([x, y]) => `${(x * WIDTH).toFixed(1)} ${(HEIGHT - 1 - y * (HEIGHT - 3)).toFixed(1)}`);
    const line = steps.length < 2 ? '' : `M${steps.join('L')}`;
    if (line !== this.shown) {
      this.shown = line;
      // A quiet one leaves its room to the name.
      this.element.toggleAttribute('hidden', line === '');
      this.line.setAttribute('d', line);
      const first = ((points[0]?.[0] ?? 0) * WIDTH).toFixed(1);
      const last = ((points[points.length - 1]?.[0] ?? 0) * WIDTH).toFixed(1);
      this.area.setAttribute('d', line === '' ? '' : `${line}L${last} ${HEIGHT}L${first} ${HEIGHT}Z`);
    }
  }
}
