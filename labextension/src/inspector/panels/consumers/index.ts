import type { Context } from '../../context';
import { Section } from '../../section';
import { consumersBody } from './body';
import type { ConsumersModel } from './model';

export function consumersSection(context: Context, model: ConsumersModel): Section {
  const { trans } = context;
  return new Section({ name: 'consumers', label: trans.__('Consumers'), model, body: consumersBody(context, model), open: false });
}
