/** Marks our rules in the page, whichever bundler put them there. */
const MARK = '.nbchannels-view';

/** Some hosts of widgets put them into a shadow tree, which the page's style sheets do not reach: copy ours there. */
export function adoptStyles(el: HTMLElement): void {
  const root = el.getRootNode();
  if (!(root instanceof ShadowRoot)) {
    return;
  }
  for (const style of document.head.querySelectorAll('style')) {
    const text = style.textContent ?? '';
    if (text.includes(MARK) || text.includes('.u-over')) {
      root.prepend(style.cloneNode(true));
    }
  }
}
