/** What the transcripts do not cover: overlapping requests, resuming behind a gap, bad records. */

import { describe, expect, it } from 'vitest';

import { decodeRecords, encodeRecords } from '../../src/protocol/codec';
import type { SessionEvent } from '../../src/protocol/events';
import { CODEC, FLAG, KIND } from '../../src/protocol/records';
import type { DataRecord } from '../../src/protocol/records';
import { ClientSession } from '../../src/protocol/session';

const EPOCH = '00000000000000aa';
const body = { codec: CODEC.json, bytes: new TextEncoder().encode('{}') };

function welcome(window = 512): string {
  const limits = { message: 16777216, window, window_bytes: 1048576, subscriptions: 256 };
  return JSON.stringify({ op: 'welcome', server: 's1', version: '0.1.0', connection: 5, user: 'ada', heartbeat: 20, limits, layer: {} });
}

function open(window = 512): ClientSession {
  const session = new ClientSession({ client: 'page', version: '0.1.0', producer: '0'.repeat(32) });
  session.connected(0, 'ticket');
  session.receive(welcome(window), 0);
  session.outgoing();
  session.events();
  return session;
}

function subscribed(offset: number, more: object = {}): string {
  return JSON.stringify({
    op: 'subscribed', group: 'g', id: 7, epoch: EPOCH, offset, tag: 100 + offset, top: offset, recovered: true, reason: null, cleared: false,
    lost: null, ...more
  });
}

function messages(first: number, last: number, id = 7): Uint8Array {
  const records: DataRecord[] = [];
  for (let n = first; n <= last; n++) {
    records.push({ kind: KIND.MESSAGE, codec: 1, flags: 0, name: '', id, tag: 100 + n, sequence: n, time: 1, sender: 5, body: body.bytes });
  }
  return encodeRecords(records);
}

const sent = (session: ClientSession): Record<string, unknown>[] =>
  session.outgoing().flatMap(one =>
    typeof one === 'string' ? [JSON.parse(one) as Record<string, unknown>] : decodeRecords(one).map(record => ({ ...record })));

const brief = (events: SessionEvent[]): string[] =>
  events.map(event =>
    event.event === 'message' ? `message ${event.offset}`
      : event.event === 'gap' ? `gap ${event.from}-${event.to}`
        : event.event === 'subscribed' ? `subscribed ${event.offset} ${event.recovered ? 'recovered' : String(event.reason)} ${event.lost ?? ''}`.trim()
          : event.event === 'close' ? `close ${event.code}` : event.event);

describe('a subscription that is replaced', () => {
  it('loses and repeats nothing that was under way', () => {
    const session = open();
    session.subscribe({ group: 'g', mode: 'latest', since: 'now' });
    session.receive(subscribed(0), 0);
    session.receive(messages(1, 2), 0);
    session.subscribe({ group: 'g', mode: 'log', position: session.subscription('g')!.position! });
    expect(sent(session).at(-1)).toEqual({ op: 'subscribe', group: 'g', mode: 'log', position: { epoch: EPOCH, offset: 2, tag: 102 } });
    // Still from the old subscription; then the new one begins behind 2.
    session.receive(messages(3, 4), 0);
    session.receive(subscribed(2), 0);
    session.receive(messages(3, 6), 0);
    expect(brief(session.events())).toEqual([
      'subscribed 0 recovered', 'message 1', 'message 2', 'message 3', 'message 4', 'subscribed 4 recovered', 'message 5', 'message 6'
    ]);
  });

  it('acknowledges what came twice: it fills the window all the same', () => {
    const session = open(4);
    session.subscribe({ group: 'g', mode: 'log', since: 'now' });
    session.receive(subscribed(0), 0);
    session.receive(messages(1, 4), 0);
    session.outgoing();
    session.subscribe({ group: 'g', mode: 'latest', position: { epoch: EPOCH, offset: 4, tag: 104 } });
    session.receive(messages(5, 6), 0);
    session.receive(subscribed(4), 0);
    session.outgoing();
    session.receive(messages(5, 6), 0);
    expect(sent(session)).toEqual([{ op: 'ack', logs: [[7, 6]] }]);
  });

  it('counts what was trimmed from what it has, not from what it asked', () => {
    const session = open();
    session.subscribe({ group: 'g', mode: 'log', since: 'now' });
    session.receive(subscribed(0), 0);
    session.receive(messages(1, 2), 0);
    session.subscribe({ group: 'g', mode: 'latest', position: { epoch: EPOCH, offset: 2, tag: 102 } });
    session.receive(messages(3, 4), 0);
    session.receive(subscribed(5, { recovered: false, reason: 'trimmed', lost: 3, top: 9 }), 0);
    expect(brief(session.events()).at(-1)).toBe('subscribed 5 trimmed 1');
    session.subscribe({ group: 'g', mode: 'log', position: session.subscription('g')!.position! });
    session.receive(messages(6, 8), 0);
    session.receive(subscribed(7, { recovered: false, reason: 'trimmed', lost: 2, top: 9 }), 0);
    session.receive(messages(8, 9), 0);
    expect(brief(session.events())).toEqual(['message 6', 'message 7', 'message 8', 'subscribed 8 recovered', 'message 9']);
  });

  it('begins anew where another history begins', () => {
    const session = open();
    session.subscribe({ group: 'g', mode: 'log', since: 'now' });
    session.receive(subscribed(0), 0);
    session.receive(messages(1, 5), 0);
    session.disconnected(0);
    session.connected(1);
    session.receive(welcome(), 1);
    session.receive(subscribed(2, { recovered: false, reason: 'tag', top: 4 }), 1);
    session.receive(messages(3, 4), 1);
    expect(brief(session.events()).slice(-3)).toEqual(['subscribed 2 tag', 'message 3', 'message 4']);
  });

  it('since-based: nothing of the old stream comes any more', () => {
    const session = open();
    session.subscribe({ group: 'g', mode: 'log', since: 'now' });
    session.receive(subscribed(0), 0);
    session.receive(messages(1, 2), 0);
    session.subscribe({ group: 'g', mode: 'log', since: 'earliest' });
    session.receive(messages(3, 3), 0);
    session.receive(subscribed(0, { top: 3 }), 0);
    session.receive(messages(1, 3), 0);
    expect(brief(session.events()).slice(3)).toEqual(['subscribed 0 recovered', 'message 1', 'message 2', 'message 3']);
  });
});

describe('a gap', () => {
  it('is resumed from the last message before it, and not told twice', () => {
    const session = open();
    session.subscribe({ group: 'g', mode: 'latest', since: 'now' });
    session.receive(subscribed(0), 0);
    session.receive(messages(1, 1), 0);
    session.receive('{"op":"gap","id":7,"from":2,"to":8,"reason":"conflated"}', 0);
    session.disconnected(1);
    session.connected(1);
    expect(sent(session)[0]!.subscriptions).toEqual([{ group: 'g', mode: 'latest', position: { epoch: EPOCH, offset: 1, tag: 101 } }]);
    session.receive(welcome(), 1);
    session.receive(subscribed(1, { top: 9 }), 1);
    session.receive('{"op":"gap","id":7,"from":2,"to":9,"reason":"conflated"}', 1);
    session.receive(messages(10, 10), 1);
    expect(brief(session.events())).toEqual([
      'subscribed 0 recovered', 'message 1', 'gap 2-8', 'welcomed', 'subscribed 8 recovered', 'gap 9-9', 'message 10'
    ]);
  });

  it('behind a hole, or upside down, ends the connection', () => {
    for (const [gap, code] of [['"from":3,"to":4', 4006], ['"from":2,"to":1', 4501]] as const) {
      const session = open();
      session.subscribe({ group: 'g', mode: 'log', since: 'now' });
      session.receive(subscribed(1), 0);
      session.receive(`{"op":"gap","id":7,${gap},"reason":"trimmed"}`, 0);
      expect(brief(session.events()).at(-1)).toBe(`close ${code}`);
      expect(session.state).toBe('CLOSED');
    }
  });
});

describe('unsubscribe and subscribe at once', () => {
  it('does not take the end of the old one for the end of the new one', () => {
    const session = open();
    session.subscribe({ group: 'g', mode: 'log', since: 'now' });
    session.unsubscribe('g');
    session.subscribe({ group: 'g', mode: 'log', since: 'earliest' });
    session.receive(subscribed(9), 0);
    session.receive(messages(10, 10), 0);
    session.receive('{"op":"unsubscribed","group":"g","error":null}', 0);
    session.receive(subscribed(0, { id: 8 }), 0);
    session.receive(messages(1, 1, 8), 0);
    expect(brief(session.events())).toEqual(['subscribed 0 recovered', 'message 1']);
    session.unsubscribe('other');
    session.receive('{"op":"unsubscribed","group":"g","error":null}', 0);
    expect(session.events()).toMatchObject([{ event: 'unsubscribed', asked: false }]);
  });
});

describe('before the welcome', () => {
  it('holds back what hello did not say', () => {
    const session = new ClientSession({ client: 'page', version: '0.1.0', producer: '0'.repeat(32) });
    session.connected(0, 't');
    session.subscribe({ group: 'late', mode: 'log', since: 'now' });
    session.call('names', {});
    session.publish('group', 'g', body, false);
    expect(sent(session).map(one => one.op)).toEqual(['hello']);
    session.receive(welcome(), 0);
    expect(sent(session).map(one => one.op ?? one.sequence)).toEqual(['subscribe', 'call', 1]);
  });

  it('takes no data, no second welcome, no challenge', () => {
    const session = new ClientSession({ client: 'page', version: '0.1.0', producer: '0'.repeat(32) });
    for (const bad of [messages(1, 1), '{"op":"challenge","server":"s","nonce":"00"}', subscribed(0)]) {
      session.connected(0);
      session.receive(bad, 0);
      expect(brief(session.events())).toEqual(['close 4501']);
      session.receive(welcome(), 0);
      expect(session.state).toBe('CLOSED');
    }
    const second = open();
    second.receive(welcome(), 0);
    expect(brief(second.events())).toEqual(['close 4501']);
    expect(() => {
      open().connected(0);
    }).toThrow('connected in the state OPEN');
  });
});

describe('bad records', () => {
  it.each([
    '{"op":"subscribed","group":"g"}',
    '{"op":"gap","id":7,"from":-1,"to":2,"reason":"x"}',
    '{"op":"accepted","targets":[["list","g",1]],"receipts":[]}',
    '{"op":"accepted","targets":{},"receipts":[]}',
    '{"op":"heartbeat","time":1,"logs":[[1,2]]}',
    '{"op":"rejected","kind":"group","name":"g","sequence":1,"error":null,"retry":null}',
    '{"op":"goaway","reason":"r","spread":1e999}'
  ])('%s', text => {
    const session = open();
    session.receive(text, 0);
    expect(session.events()).toMatchObject([{ event: 'close', code: 4501 }]);
  });

  it('of the kinds that only a server receives', () => {
    const session = open();
    session.receive(encodeRecords([{ kind: KIND.PUBLISH, codec: 1, flags: 0, name: 'g', id: 0, tag: 0, sequence: 1, time: 0, sender: 0, body: body.bytes }]), 0);
    expect(brief(session.events())).toEqual(['close 4501']);
  });

  it('entries and results of calls nobody made are ignored', () => {
    const session = open();
    session.receive(encodeRecords([{ kind: KIND.ENTRY, codec: 1, flags: 0, name: '', id: 9, tag: 0, sequence: 1, time: 0, sender: 0, body: body.bytes }]), 0);
    session.receive('{"op":"result","id":9,"value":1}', 0);
    expect(session.events()).toEqual([]);
  });
});

describe('publishing', () => {
  it('joins at most 256 records, and no more than a MiB of them', () => {
    const session = open();
    for (let i = 0; i < 600; i++) {
      session.publish('group', 'g', body, false);
    }
    const large = { codec: CODEC.json, bytes: new Uint8Array(700_000) };
    session.publish('group', 'g', large, false);
    session.publish('group', 'g', large, false);
    const counts = session.outgoing().map(one => decodeRecords(one as Uint8Array).length);
    expect(counts).toEqual([256, 256, 89, 1]);
    expect(session.backlog).toEqual({ messages: 602, bytes: 1_401_200 });
  });

  it('tells the server of a withdrawal it missed, before anything else', () => {
    const session = open();
    session.publish('group', 'g', body, false);
    session.publish('group', 'g', body, false);
    session.outgoing();
    session.disconnected(1);
    session.withdraw(1);
    session.connected(1);
    session.receive(welcome(), 1);
    expect(sent(session).slice(1)).toMatchObject([
      { op: 'withdraw', kind: 'group', name: 'g', sequence: 1 }, { sequence: 2, flags: FLAG.retried }
    ]);
  });

  it('knows its own messages, also after a reconnect, not after a new server', () => {
    const session = open();
    expect([session.own(5), session.own(6)]).toEqual([true, false]);
    session.disconnected(1);
    session.connected(1);
    session.receive(welcome().replace('"connection":5', '"connection":6'), 1);
    expect([session.own(5), session.own(6)]).toEqual([true, true]);
    session.disconnected(2);
    session.connected(2);
    session.receive(welcome().replace('"s1"', '"s2"'), 2);
    expect([session.own(5), session.own(6)]).toEqual([true, false]);
  });

  it('accepts on a receipt alone, and ignores what is not its own', () => {
    const session = open();
    session.publish('group', 'g', body, true);
    const receipt = { kind: 'group', name: 'g', sequence: 1, dropped: 0 };
    session.receive(JSON.stringify({ op: 'accepted', targets: [['group', 'other', 9]], receipts: [receipt] }), 0);
    session.receive('{"op":"rejected","kind":"group","name":"g","sequence":1,"error":{"code":"full","message":"m","temporary":false},"retry":null}', 0);
    expect(session.events()).toMatchObject([{ event: 'accepted', sequence: 1, receipt }]);
  });
});

describe('deadline', () => {
  it('is the first of silence, acknowledgement and retry', () => {
    const session = open();
    expect(session.deadline).toBe(30);
    session.publish('group', 'g', body, false);
    session.receive('{"op":"rejected","kind":"group","name":"g","sequence":1,"error":{"code":"unavailable","message":"m","temporary":true},"retry":5}', 2);
    expect(session.deadline).toBe(7);
    session.subscribe({ group: 'g', mode: 'log', since: 'now' });
    session.receive(subscribed(0), 3);
    session.receive(messages(1, 1), 3);
    expect(session.deadline).toBe(4);
    session.tick(4);
    session.outgoing();
    expect(session.deadline).toBe(7);
    session.disconnected(5);
    expect(session.deadline).toBeNull();
  });
});
