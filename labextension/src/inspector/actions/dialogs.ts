import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import { sentence } from '../api';
import type { Context } from '../context';
import type { Draft } from './sendform';
import { SendForm } from './sendform';

/** Ask before something is lost. */
export async function confirm(context: Context, title: string, body: string, button: string): Promise<boolean> {
  const { trans } = context;
  const words = new Widget();
  words.addClass('nbc-confirm');
  words.node.textContent = body;
  const result = await showDialog({
    title,
    body: words,
    buttons: [Dialog.cancelButton({ label: trans.__('Cancel') }), Dialog.warnButton({ label: button })]
  });
  return result.button.accept;
}

/** The form for a message, in a dialog of its own. */
export async function sendDialog(context: Context, draft: Draft): Promise<void> {
  const { trans, api } = context;
  const form = new SendForm(api, trans, draft);
  const holder = api.client.hold();
  const body = new Widget();
  body.node.append(form.element);
  const dialog = new Dialog({ title: trans.__('Send a message'), body, buttons: [Dialog.cancelButton({ label: trans.__('Close') })] });
  dialog.addClass('nbc-dialog');
  void form.load();
  setTimeout(() => {
    form.focus();
  });
  await dialog.launch();
  holder.dispose();
}

/** Do it, and say in words what became of it. */
export async function attempt(what: () => Promise<unknown>, done: string): Promise<void> {
  try {
    await what();
    Notification.success(done, { autoClose: 3000 });
  } catch (error) {
    Notification.error(sentence(error), { autoClose: 8000 });
  }
}

export function tell(words: string): void {
  Notification.info(words, { autoClose: 3000 });
}

export function warn(words: string): void {
  Notification.warning(words, { autoClose: 6000 });
}
