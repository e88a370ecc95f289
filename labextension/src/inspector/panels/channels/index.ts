import type { Context } from '../../context';
import { Section } from '../../section';
import { channelsBody } from './body';
import type { ChannelsModel } from './model';

export function channelsSection(context: Context, model: ChannelsModel): Section {
  const { trans } = context;
  return new Section({ name: 'channels', label: trans.__('Channels'), model, body: channelsBody(context, model), open: false });
}
