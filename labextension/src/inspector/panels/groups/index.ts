import type { Context } from '../../context';
import { COMMANDS } from '../../context';
import { sendIcon } from '../../icons';
import { Section } from '../../section';
import { groupsBody } from './body';
import type { GroupsModel } from './model';

export function groupsSection(context: Context, model: GroupsModel): Section {
  const { trans, run } = context;
  const section = new Section({ name: 'groups', label: trans.__('Groups'), model, body: groupsBody(context, model), open: true });
  section.addButton('send', sendIcon, trans.__('Send a message…'), () => {
    run(COMMANDS.send, {});
  });
  return section;
}
