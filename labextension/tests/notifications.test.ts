import { nullTranslator } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import type { Client, StreamListener, StreamMessage } from '../src/client/types';
import { type Level, NOTIFICATION, Notifications } from '../src/renderer-notifications';

class World {
  readonly shown: [string, Level][] = [];
  readonly listeners = new Map<string, StreamListener>();
  subscriptions = 0;
  time = 0;
  private readonly due: [number, () => void][] = [];

  readonly notifications = new Notifications(
    () =>
      ({
        subscribe: (group: string, _: unknown, listener: StreamListener) => {
          this.subscriptions += 1;
          this.listeners.set(group, listener);
          return { dispose: () => this.listeners.delete(group) };
        }
      }) as unknown as Client,
    nullTranslator.load('nbchannels'),
    (text, level) => this.shown.push([text, level]),
    { now: () => this.time, after: (milliseconds, callback) => this.due.push([this.time + milliseconds, callback]) }
  );

  tell(content: unknown, group = 'run'): void {
    const message = { group, content: () => content } as unknown as StreamMessage;
    this.listeners.get(group)?.messages([message]);
  }

  notify(text: unknown, level: unknown = 'info', group = 'run'): void {
    this.tell({ type: NOTIFICATION, text, level }, group);
  }

  wait(milliseconds: number): void {
    this.time += milliseconds;
    for (const [, callback] of this.due.splice(0).filter(([at]) => at <= this.time)) {
      callback();
    }
  }
}

describe('notifications', () => {
  it('shows what is told to a group that is watched', () => {
    const world = new World();
    world.notifications.watch('run');
    world.notify('the training has ended', 'success');
    world.notify('not for us', 'info', 'other');
    expect(world.shown).toEqual([['run: the training has ended', 'success']]);
  });

  it('holds back what comes fast, counts it, and shows the gravest', () => {
    const world = new World();
    world.notifications.watch('run');
    world.notify('one');
    world.notify('two');
    world.notify('three', 'error');
    world.notify('four', 'warning');
    expect(world.shown).toEqual([['run: one', 'info']]);
    world.wait(4000);
    expect(world.shown.slice(1)).toEqual([['run: three (and 2 more)', 'error']]);
    world.wait(4000);
    world.notify('five');
    expect(world.shown.length).toBe(3);
  });

  it('subscribes once for all views of a group, and leaves with the last', () => {
    const world = new World();
    const views = [world.notifications.watch('run'), world.notifications.watch('run')];
    expect(world.subscriptions).toBe(1);
    views[0]?.dispose();
    views[0]?.dispose();
    world.notify('still here');
    views[1]?.dispose();
    world.wait(10_000);
    world.notify('gone');
    expect(world.shown).toEqual([['run: still here', 'info']]);
  });

  it('is silent if the reader wants it', () => {
    const world = new World();
    world.notifications.watch('run');
    world.notifications.enabled = false;
    world.notify('no');
    expect(world.shown).toEqual([]);
  });

  it('takes nothing for a notification that is none', () => {
    const world = new World();
    world.notifications.watch('run');
    for (const content of [null, 'text', [], { y: 1 }, { type: 'tick', text: 'a' }]) {
      world.tell(content);
    }
    for (const text of [5, '', '  ', null, { html: '<b>' }]) {
      world.notify(text);
    }
    expect(world.shown).toEqual([]);
    world.notify('<img src=x onerror=alert(1)>'.padEnd(3000, 'a'), '__proto__');
    expect(world.shown[0]?.[0].length).toBe('run: '.length + 2000);
    expect(world.shown[0]?.[1]).toBe('info');
  });
});
