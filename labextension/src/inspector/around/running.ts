import type { IRunningSessions } from '@jupyterlab/running';
import { MessageLoop } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';

import { warn } from '../actions/dialogs';
import { sentence } from '../api';
import type { Context } from '../context';
import { COMMANDS } from '../context';
import { channelsIcon } from '../icons';
import type { ClientRow, ClientsModel } from '../panels/clients/model';
import type { ConsumerRow, ConsumersModel } from '../panels/consumers/model';
import { baseName } from '../parts/format';
import type { Pace } from '../poller';
import { Poller } from '../poller';

/** The id that JupyterLab gives the panel. */
export const RUNNING_PANEL = 'jp-running-sessions';
/** Seconds between two looks while it is in front. */
const LOOK = 3;

/** Consumers and open streams, as the Running panel lists them. */
export class RunningChannels implements IRunningSessions.IManager {
  readonly name: string;
  readonly supportsMultipleViews = false;
  readonly shutdownLabel: string;
  readonly shutdownAllLabel: string;
  readonly shutdownAllConfirmationText: string;
  readonly runningChanged = new Signal<this, void>(this);
  private readonly poller: Poller;

  constructor(
    private readonly context: Context,
    private readonly consumers: ConsumersModel,
    private readonly clients: ClientsModel,
    pace?: Pace
  ) {
    this.poller = new Poller(context.api.client, () => this.ask(), () => Math.max(LOOK, context.settings.interval), pace);
    const { trans } = context;
    this.name = trans.__('Channels');
    this.shutdownLabel = trans.__('Disconnect…');
    this.shutdownAllLabel = trans.__('Disconnect All');
    this.shutdownAllConfirmationText = trans.__('All kernels and scripts are disconnected from nbchannels; they themselves go on.');
    for (const model of [consumers, clients]) {
      model.changed.connect(this.tell, this);
    }
  }

  running(): IRunningSessions.IRunningItem[] {
    return [...[...this.consumers.rows.values()].map(row => this.consumer(row)), ...[...this.clients.rows.values()].filter(row => row.subscriptions > 0).map(row => this.stream(row))];
  }

  /** Somebody wants to know now. */
  refreshRunning(): void {
    if (this.poller.isOn) {
      this.poller.hurry();
    } else if (this.context.api.client.state.status === 'live') {
      void this.ask();
    }
  }

  /** Ask the server while this panel can be seen, and not when it is hidden. */
  watch(panel: Widget): void {
    MessageLoop.installMessageHook(panel, (_, { type }) => {
      if (type === 'after-show' || type === 'after-attach') {
        this.look(panel);
      } else if (type === 'before-hide' || type === 'before-detach') {
        this.poller.stop();
      }
      return true;
    });
    this.look(panel);
  }

  private look(panel: Widget): void {
    if (panel.isVisible) {
      this.poller.start();
    }
  }

  private async ask(): Promise<void> {
    await Promise.all([this.consumers.refresh(), this.clients.refresh()]);
  }

  shutdownAll(): void {
    // Pages would lose their own views, this one first.
    const own = [...this.clients.rows.values()].filter(row => row.kind !== 'page' && row.connected);
    for (const row of own) {
      this.context.api.disconnect(row.key).catch((error: unknown) => {
        warn(sentence(error));
      });
    }
  }

  private consumer(row: ConsumerRow): IRunningSessions.IRunningItem {
    const { run, trans } = this.context;
    return {
      label: () => `${row.channel} → ${row.function}`,
      labelTitle: () => [row.client, ...(row.error === '' ? [] : [row.error])].join('\n'),
      detail: () => (row.failed > 0 ? trans._n('%1 failure', '%1 failures', row.failed) : row.where),
      icon: () => channelsIcon,
      open: () => {
        run(COMMANDS.open, { section: 'consumers' });
      },
      ...(row.clientKey === '' || row.where === 'server'
        ? {}
        : {
            shutdown: () => {
              run(COMMANDS.disconnect, { client: row.clientKey, label: row.client });
            }
          })
    };
  }

  private stream(row: ClientRow): IRunningSessions.IRunningItem {
    const { run, trans } = this.context;
    const label = baseName(row.label) || (row.kind === 'page' ? row.user : '') || row.key;
    return {
      label: () => row.groups.join(', '),
      labelTitle: () => [trans.__('%1 watches', label), ...row.groups].join('\n'),
      detail: () => label,
      icon: () => channelsIcon,
      open: () => {
        run(COMMANDS.open, { section: 'clients' });
      },
      shutdown: () => {
        run(COMMANDS.disconnect, { client: row.key, label });
      }
    };
  }

  private tell(): void {
    this.runningChanged.emit();
  }
}
