import type { LegendContent } from './legend';
import { formatNumber } from '../format';
import type { Theme } from '../theme';

const PAD = 16;

/** The view as a picture: title, plot and legend on the page's background. */
export async function drawPicture(plot: HTMLCanvasElement, title: string, legend: LegendContent, theme: Theme): Promise<Blob | null> {
  const ratio = plot.width / Math.max(1, plot.clientWidth || plot.width);
  const picture = document.createElement('canvas');
  picture.width = plot.width + 2 * PAD * ratio;
  picture.height = plot.height + (44 + 40) * ratio;
  const context = picture.getContext('2d');
  if (context === null) {
    return null;
  }
  context.fillStyle = theme.background;
  context.fillRect(0, 0, picture.width, picture.height);
  context.scale(ratio, ratio);
  context.textBaseline = 'middle';
  context.fillStyle = theme.foreground;
  context.font = `600 14px ${theme.font}`;
  context.fillText(title, PAD, 24);
  drawLegend(context, legend, 44 + plot.height / ratio + 18, theme);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(plot, PAD * ratio, 44 * ratio);
  return new Promise(resolve => picture.toBlob(resolve, 'image/png'));
}

/** Hand a picture to the reader as a file. */
export function saveAs(picture: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(picture);
  link.download = `${name.replace(/[^\w.-]+/g, '_').slice(0, 80) || 'plot'}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function drawLegend(context: CanvasRenderingContext2D, legend: LegendContent, y: number, theme: Theme): void {
  let x = PAD;
  context.font = `12px ${theme.font}`;
  for (const { name, colour, hidden, value } of legend.entries) {
    if (hidden) {
      continue;
    }
    context.fillStyle = colour;
    context.fillRect(x, y - 1.5, 14, 3);
    context.fillStyle = theme.foreground;
    const text = `${name}  ${formatNumber(value)}`;
    context.fillText(text, x + 20, y);
    x += 20 + context.measureText(text).width + 22;
  }
}
