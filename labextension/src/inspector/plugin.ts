import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILabShell, ILayoutRestorer } from '@jupyterlab/application';
import { Clipboard, ICommandPalette, MainAreaWidget, Notification, WidgetTracker } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import { configure, pageClient } from '../client/shared';
import { insertCell } from './actions/cells';
import { addCommands } from './actions/commands';
import { tell } from './actions/dialogs';
import { addMenus } from './actions/menus';
import { ViewPanel } from './actions/viewpanel';

import { Announcements } from './announcements';
import { Api, sentence } from './api';
import { ArrangedInspector } from './arrangement';
import { notebookInFront } from './around/front';
import { Notices } from './around/notices';
import { RUNNING_PANEL, RunningChannels } from './around/running';
import { StatusChip } from './around/status';
import type { Context } from './context';
import { COMMANDS, Selection } from './context';
import type { Scope } from './following';
import { Following } from './following';
import { plotIcon } from './icons';
import { Memory } from './memory';
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
  optional: [ITranslator, ICommandPalette, ILayoutRestorer, ILabShell, INotebookTracker, ISettingRegistry, IStatusBar, IRunningSessionManagers, IStateDB],
  activate: (
    app: JupyterFrontEnd,
    translator: Optional<ITranslator>,
    palette: Optional<ICommandPalette>,
    restorer: Optional<ILayoutRestorer>,
    labShell: Optional<ILabShell>,
    notebooks: Optional<INotebookTracker>,
    registry: Optional<ISettingRegistry>,
    statusBar: Optional<IStatusBar>,
    running: Optional<IRunningSessionManagers>,
    state: Optional<IStateDB>
  ) => {
    const { baseUrl, wsUrl, token, appendToken } = app.serviceManager.serverSettings;
    configure({ baseUrl, wsUrl, token, appendToken });
    const translation = translator ?? nullTranslator;
    const trans = translation.load('nbchannels');
    const settings = new Settings();
    const api = new Api(pageClient());
    const selection = new Selection();
    const announcements = new Announcements(api.client);
    const following = new Following(api, () => notebookInFront(notebooks));
    // Somebody has sent again or discarded one, here or elsewhere; or there is another.
    const lettersChanged = new Signal<object, void>({});
    announcements.changed.connect(() => {
      lettersChanged.emit();
    });
    const context: Context = {
      api,
      settings,
      trans,
      selection,
      following,
      lettersChanged,
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
    const problems = new ProblemsModel(api, announcements, interval);
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
      sidebar.badge = problems.count;
    });
    notebooks?.currentChanged.connect(() => {
      following.hurry();
    });
    following.changed.connect(() => {
      narrow(following.scope);
    });

    const narrow = (scope: Scope | null): void => {
      groups.scope = scope && (row => scope.has('group', row.key));
      channels.scope = scope && (row => scope.has('channel', row.key));
      consumers.scope = scope && (row => scope.has('client', row.clientKey));
      clients.scope = scope && (row => scope.has('client', row.key));
      messages.scope = scope && (row => scope.has(row.kind, row.name));
    };

    const plots = new WidgetTracker<MainAreaWidget<ViewPanel>>({ namespace: 'nbchannels-plots' });
    const openView = async (group: string, kind: string): Promise<void> => {
      const known = plots.find(({ content }) => content.group === group && content.kind === kind);
      if (known !== undefined) {
        app.shell.activateById(known.id);
        return;
      }
      const widget = new MainAreaWidget({ content: new ViewPanel(group, kind) });
      widget.toolbar.hide();
      widget.id = `nbchannels-${kind}-${group}`;
      widget.title.label = group;
      widget.title.caption = trans.__('Live view (%1) of group "%2"', kind, group);
      widget.title.icon = plotIcon;
      widget.title.closable = true;
      await plots.add(widget);
      // Notebook 7 has one document in its main area; what is below it has no height of its own.
      if (labShell === null) {
        widget.content.node.style.minHeight = LOWEST;
      }
      app.shell.add(widget, labShell === null ? 'down' : 'main', { mode: 'split-right', type: 'Live View' });
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
      openView,
      insertCell: code => insertCell(notebooks, code),
      whole: row => messages.whole(row),
      pause: () => {
        messages.paused = !messages.paused;
      },
      isPaused: () => messages.paused,
      refresh: panel => {
        ({ groups, problems, clients })[panel].hurry();
        if (panel === 'problems') {
          lettersChanged.emit();
        }
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
      args: ({ content: { group, kind } }) => ({ group, kind }),
      name: ({ content: { group, kind } }) => (kind === 'plot' ? group : `${kind}:${group}`)
    });

    new Notices(
      announcements,
      settings,
      trans,
      words => {
        Notification.error(words, {
          autoClose: 10_000,
          actions: [
            {
              label: trans.__('Show'),
              callback: () => {
                reveal('problems');
              }
            }
          ]
        });
      },
      () => sidebar.isVisible
    );
    const chip = new StatusChip(api.client, layer, announcements, trans, () => {
      reveal(announcements.problems > 0 ? 'problems' : undefined);
    });
    statusBar?.registerStatusItem(`${PLUGIN}-status`, { item: chip, align: 'right', rank: 90 });
    if (state !== null) {
      const arranged = new ArrangedInspector(sidebar, { groups, channels, consumers, clients }, messages, tail, following);
      new Memory(state, arranged).restore().catch((error: unknown) => {
        console.warn(`nbchannels: how the inspector was arranged is not known: ${sentence(error)}`);
      });
    }
    // Not before the page stands, and in Notebook 7 only where there is a notebook.
    void app.restored.then(() => {
      if (labShell !== null || notebooks === null || notebooks.size > 0) {
        announcements.open();
      } else {
        notebooks.widgetAdded.connect(() => {
          announcements.open();
        });
      }
    });
    if (running !== null) {
      const channelsRunning = new RunningChannels(context, consumers, clients);
      running.add(channelsRunning);
      void app.restored.then(() => {
        const panel = [...app.shell.widgets('left'), ...app.shell.widgets('right')].find(({ id }) => id === RUNNING_PANEL);
        if (panel !== undefined) {
          channelsRunning.watch(panel);
        }
      });
    }
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
