import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILabShell, ILayoutRestorer } from '@jupyterlab/application';
import { Clipboard, ICommandPalette, MainAreaWidget, Notification, WidgetTracker } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { configure, pageClient } from '../client/shared';
import { insertCell } from './actions/cells';
import { addCommands } from './actions/commands';
import { tell } from './actions/dialogs';
import { addMenus } from './actions/menus';
import { PlotPanel } from './actions/plot';
import { Api, sentence } from './api';
import { Notices } from './around/notices';
import { Pulse } from './around/pulse';
import { RunningChannels } from './around/running';
import { StatusChip } from './around/status';
import type { Context } from './context';
import { COMMANDS, Selection } from './context';
import { plotIcon } from './icons';
import { channelsSection } from './panels/channels';
import { ChannelsModel } from './panels/channels/model';
import { clientsSection } from './panels/clients';
import { ClientsModel } from './panels/clients/model';
import { consumersSection } from './panels/consumers';
import { ConsumersModel } from './panels/consumers/model';
import { groupsSection } from './panels/groups';
import { GroupsModel } from './panels/groups/model';
import { layerSection } from './panels/layer';
import { LayerModel } from './panels/layer/model';
import { messagesSection } from './panels/messages';
import { MessagesModel } from './panels/messages/model';
import { problemsSection } from './panels/problems';
import { ProblemsModel } from './panels/problems/model';
import { PLUGIN, Settings } from './settings';
import { Sidebar, SIDEBAR } from './sidebar';
import '../../style/inspector-lists.css';
import '../../style/inspector-details.css';
// It changes what the others say of forms.
import '../../style/inspector.css';

/** Beside the debugger and the property inspector, below them. */
const RANK = 700;

/** Of a plot below the notebook, in Notebook 7. */
const LOWEST = '320px';

type Optional<T> = T | null;

/** Shows every channel, group, client and error in a sidebar. */
export const inspector: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: 'Shows every channel, group, client and error of nbchannels in a sidebar.',
  autoStart: true,
  optional: [ITranslator, ICommandPalette, ILayoutRestorer, ILabShell, INotebookTracker, ISettingRegistry, IStatusBar, IRunningSessionManagers],
  activate: (
    app: JupyterFrontEnd,
    translator: Optional<ITranslator>,
    palette: Optional<ICommandPalette>,
    restorer: Optional<ILayoutRestorer>,
    labShell: Optional<ILabShell>,
    notebooks: Optional<INotebookTracker>,
    registry: Optional<ISettingRegistry>,
    statusBar: Optional<IStatusBar>,
    running: Optional<IRunningSessionManagers>
  ) => {
    const { baseUrl, wsUrl, token, appendToken } = app.serviceManager.serverSettings;
    configure({ baseUrl, wsUrl, token, appendToken });
    const translation = translator ?? nullTranslator;
    const trans = translation.load('nbchannels');
    const settings = new Settings();
    const api = new Api(pageClient());
    const selection = new Selection();
    const context: Context = {
      api,
      settings,
      trans,
      selection,
      now: () => Date.now() / 1000,
      run: (command, args) => {
        app.commands.execute(command, args).catch((error: unknown) => {
          Notification.error(sentence(error), { autoClose: 6000 });
        });
      },
      copy: text => {
        Clipboard.copyToSystem(text);
        tell(trans.__('Copied.'));
      }
    };
    const interval = (): number => settings.interval;
    const groups = new GroupsModel(api, interval);
    const channels = new ChannelsModel(api, interval);
    const consumers = new ConsumersModel(api, interval);
    const clients = new ClientsModel(api, interval);
    const problems = new ProblemsModel(api, interval);
    const layer = new LayerModel(api, interval);
    const messages = new MessagesModel(api, settings);

    const tail = messagesSection(context, messages);
    const sidebar = new Sidebar(
      context,
      [
        groupsSection(context, groups),
        tail.section,
        channelsSection(context, channels),
        consumersSection(context, consumers),
        problemsSection(context, problems),
        clientsSection(context, clients),
        layerSection(context, layer)
      ],
      translation
    );
    app.shell.add(sidebar, 'right', { rank: RANK, type: 'Channels' });
    restorer?.add(sidebar, SIDEBAR);
    problems.changed.connect(() => {
      sidebar.badge = problems.problems.length;
    });

    const plots = new WidgetTracker<MainAreaWidget<PlotPanel>>({ namespace: 'nbchannels-plots' });
    const openPlot = async (group: string): Promise<void> => {
      const known = plots.find(widget => widget.content.group === group);
      if (known !== undefined) {
        app.shell.activateById(known.id);
        return;
      }
      const widget = new MainAreaWidget({ content: new PlotPanel(group) });
      widget.toolbar.hide();
      widget.id = `nbchannels-plot-${group}`;
      widget.title.label = group;
      widget.title.caption = trans.__('Live plot of group "%1"', group);
      widget.title.icon = plotIcon;
      widget.title.closable = true;
      await plots.add(widget);
      // Notebook 7 has one document in its main area; what is below it has no height of its own.
      if (labShell === null) {
        widget.content.node.style.minHeight = LOWEST;
      }
      app.shell.add(widget, labShell === null ? 'down' : 'main', { mode: 'split-right', type: 'Live Plot' });
      app.shell.activateById(widget.id);
    };
    const reveal = (section?: string): void => {
      app.shell.activateById(SIDEBAR);
      if (section !== undefined) {
        sidebar.reveal(section);
      }
    };
    addCommands(app.commands, context, {
      base: new URL(baseUrl, location.href).href,
      reveal,
      seek: name => {
        tail.seek(name);
      },
      openPlot,
      insertCell: code => insertCell(notebooks, code),
      whole: row => messages.whole(row),
      pause: () => {
        messages.paused = !messages.paused;
      },
      isPaused: () => messages.paused,
      refresh: panel => {
        ({ groups, problems, clients })[panel].hurry();
        if (panel === 'clients') {
          // The Running panel lists them while their section is closed.
          void clients.refresh();
          void consumers.refresh();
        }
      }
    });
    addMenus(app, palette, trans);
    void restorer?.restore(plots, {
      command: COMMANDS.plot,
      args: widget => ({ group: widget.content.group }),
      name: widget => widget.content.group
    });

    new Pulse(api, settings, layer, consumers);
    new Notices(
      consumers,
      settings,
      trans,
      words => {
        Notification.error(words, {
          autoClose: 10_000,
          actions: [
            {
              label: trans.__('Show'),
              callback: () => {
                reveal('consumers');
              }
            }
          ]
        });
      },
      () => sidebar.isVisible
    );
    const chip = new StatusChip(api.client, layer, consumers, trans, () => {
      reveal();
    });
    statusBar?.registerStatusItem(`${PLUGIN}-status`, { item: chip, align: 'right', rank: 90 });
    running?.add(new RunningChannels(context, consumers, clients));
    if (registry !== null) {
      void registry.load(PLUGIN).then(
        loaded => {
          const read = (): void => {
            settings.update(loaded.composite);
          };
          loaded.changed.connect(read);
          read();
        },
        (error: unknown) => {
          console.warn(`nbchannels: the settings of the inspector cannot be read, defaults are used: ${sentence(error)}`);
        }
      );
    }
  }
};
