import type { Context } from '../../context';
import { Section } from '../../section';
import { LayerBody } from './body';
import type { LayerModel } from './model';

export function layerSection(context: Context, model: LayerModel): Section {
  const { trans } = context;
  return new Section({ name: 'layer', label: trans.__('Layer'), model, body: new LayerBody(context, model), open: false });
}
