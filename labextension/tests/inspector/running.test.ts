// @vitest-environment happy-dom
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import { describe, expect, it, vi } from 'vitest';

import { RunningChannels } from '../../src/inspector/around/running';
import { ClientsModel } from '../../src/inspector/panels/clients/model';
import { ConsumersModel } from '../../src/inspector/panels/consumers/model';
import { changes, FakeClient, fakeContext, FakePace, LOST, settle } from './fake';

vi.mock('@jupyterlab/ui-components', () => ({ LabIcon: vi.fn() }));
vi.mock('@jupyterlab/apputils', () => ({ Dialog: vi.fn(), Notification: vi.fn(), showDialog: vi.fn() }));

const second = (): number => 1;

describe('the Running panel', () => {
  it('shows who has come while it can be seen, and asks nothing when it cannot', async () => {
    let scripts: string[] = [];
    const client = new FakeClient({
      inspect: ({ panel }) => changes(panel === 'clients' ? scripts.map(name => [name, 'script', 'ada', name, true, 1, 1, 0, 0, 0, 0, 0, 7, ['index']]) : [])
    });
    const context = fakeContext(client);
    const pace = new FakePace();
    const running = new RunningChannels(context, new ConsumersModel(context.api, second, new FakePace()), new ClientsModel(context.api, second, new FakePace()), pace);
    let told = 0;
    running.runningChanged.connect(() => void (told += 1));
    const panel = new Widget();
    Widget.attach(panel, document.body);
    panel.hide();
    running.watch(panel);
    await pace.pass(60);
    expect(client.calls).toHaveLength(0);

    panel.show();
    await settle();
    expect(running.running()).toHaveLength(0);
    scripts = ['feeder.py'];
    const before = told;
    await pace.pass(5);
    expect(told).toBeGreaterThan(before);
    expect(running.running().map(one => [one.label(), (one.detail as () => string)()])).toEqual([['index', 'feeder.py']]);

    // The side area is closed, or another tab is in front.
    panel.hide();
    await settle();
    const asked = client.calls.length;
    await pace.pass(60);
    expect(client.calls).toHaveLength(asked);

    // Refresh asks also then, but not without a connection.
    running.refreshRunning();
    await settle();
    expect(client.calls).toHaveLength(asked + 2);
    client.become(LOST);
    running.refreshRunning();
    await settle();
    expect(client.calls).toHaveLength(asked + 2);
    MessageLoop.clearData(panel);
    panel.dispose();
  });
});
