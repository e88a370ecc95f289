import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { COMMANDS } from '../context';

/** What the menu of a row offers; `|` is a line. */
const MENUS: Readonly<Record<string, readonly string[]>> = {
  group: [COMMANDS.plot, COMMANDS.value, COMMANDS.log, COMMANDS.table, '|', COMMANDS.insertWatch, COMMANDS.send, COMMANDS.showMessages, '|', COMMANDS.copyName, COMMANDS.copyPython, COMMANDS.copyCurl, '|', COMMANDS.clear],
  channel: [COMMANDS.send, COMMANDS.insertConsumer, COMMANDS.showMessages, '|', COMMANDS.copyName, COMMANDS.copyPython, COMMANDS.copyCurl],
  message: [COMMANDS.copyMessage, COMMANDS.copyPython, COMMANDS.copyCurl, '|', COMMANDS.sendAgain, COMMANDS.edit, '|', COMMANDS.plot, COMMANDS.showMessages],
  consumer: [COMMANDS.send, COMMANDS.showMessages, COMMANDS.copyName, '|', COMMANDS.disconnect],
  diagnosis: [COMMANDS.dismiss],
  dead: [COMMANDS.resend, COMMANDS.discard, '|', COMMANDS.showMessages, COMMANDS.copyName],
  client: [COMMANDS.disconnect]
};

/** Put the commands into the menus of the rows and into the palette. */
export function addMenus(app: JupyterFrontEnd, palette: ICommandPalette | null, trans: TranslationBundle): void {
  for (const [kind, commands] of Object.entries(MENUS)) {
    const selector = `.nbc-row[data-nbc="${kind}"]`;
    commands.forEach((command, rank) => {
      app.contextMenu.addItem(command === '|' ? { type: 'separator', selector, rank } : { command, selector, rank });
    });
  }
  keepFocus(app);
  const category = trans.__('Channels');
  for (const command of Object.values(COMMANDS)) {
    palette?.addItem({ command, category });
  }
}

/** A menu that closes leaves the focus to nobody: whoever opened it with the keyboard would have to begin at the top. */
function keepFocus(app: JupyterFrontEnd): void {
  let list: HTMLElement | null = null;
  document.addEventListener(
    'contextmenu',
    ({ target }) => {
      list = target instanceof Element ? target.closest<HTMLElement>('.nbc-list') : null;
    },
    true
  );
  app.contextMenu.menu.aboutToClose.connect(() => {
    list?.focus();
    list = null;
  });
}
