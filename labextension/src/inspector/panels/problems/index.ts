import { refreshIcon } from '@jupyterlab/ui-components';

import type { Context } from '../../context';
import { Section } from '../../section';
import { ProblemsBody } from './body';
import type { ProblemsModel } from './model';

export function problemsSection(context: Context, model: ProblemsModel): Section {
  const { trans } = context;
  const section = new Section({ name: 'problems', label: trans.__('Problems'), model, body: new ProblemsBody(context, model), open: false });
  section.addButton('refresh', refreshIcon, trans.__('Ask now'), () => {
    model.hurry();
  });
  return section;
}
