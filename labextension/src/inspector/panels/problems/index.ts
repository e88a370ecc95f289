import { clearIcon, refreshIcon } from '@jupyterlab/ui-components';

import type { Context } from '../../context';
import { COMMANDS } from '../../context';
import { Section } from '../../section';
import { ProblemsBody } from './body';
import type { ProblemsModel } from './model';

export function problemsSection(context: Context, model: ProblemsModel): Section {
  const { trans, run } = context;
  const section = new Section({ name: 'problems', label: trans.__('Problems'), model, body: new ProblemsBody(context, model), open: false });
  section.addButton('refresh', refreshIcon, trans.__('Ask now'), () => {
    model.hurry();
  });
  section.addButton('dismiss', clearIcon, trans.__('Dismiss all diagnoses'), () => {
    run(COMMANDS.dismissAll);
  });
  return section;
}
