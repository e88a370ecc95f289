import type { Context } from '../../context';
import { Section } from '../../section';
import { clientsBody } from './body';
import type { ClientsModel } from './model';

export function clientsSection(context: Context, model: ClientsModel): Section {
  const { trans } = context;
  return new Section({ name: 'clients', label: trans.__('Clients'), model, body: clientsBody(context, model), open: false });
}
