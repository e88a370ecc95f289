/** A tiny server for tests: memory logs with epochs, tags, trimming, windows; it speaks through the same codec. */

import { decodeControl, decodeRecords, encodeControl, encodeRecords } from '../../src/protocol/codec';
import type { Control } from '../../src/protocol/codec';
import type { Position, Since } from '../../src/protocol/events';
import { CODEC, KIND } from '../../src/protocol/records';
import type { DataRecord } from '../../src/protocol/records';
import type { FakeSocket } from './world';

interface Log {
  id: number;
  epoch: string;
  entries: DataRecord[];
  top: number;
  cleared: boolean;
}

interface Cursor {
  group: string;
  log: Log;
  offset: number;
  acknowledged: number;
  mode: string;
}

interface Peer {
  socket: FakeSocket;
  number: number;
  cursors: Map<string, Cursor>;
}

type Ask = { group: string; mode?: string; since?: Since; position?: Position };

const encoder = new TextEncoder();

export class FakeServer {
  readonly tickets = new Set<string>();
  readonly logs = new Map<string, Log>();
  readonly peers = new Map<FakeSocket, Peer>();
  readonly hellos: Control[] = [];
  reads = 0;
  window = 512;
  down = false;
  id = 's1';
  layer: Record<string, unknown> = {};
  /** Refuse subscriptions to these groups. */
  readonly forbidden = new Set<string>();
  private connections = 0;
  private nextLog = 0;
  private nextEpoch = 0;

  // -- what tests do to it

  /** The layer does not answer, for this reason; null: it does. */
  trouble(trouble: string | null): void {
    this.layer = { ...this.layer, trouble };
    for (const { socket } of this.peers.values()) {
      socket.deliver(encodeControl({ op: 'layer', trouble }));
    }
  }

  /** Append messages to a group and send them to who listens. */
  publish(group: string, count = 1, sender = 0): void {
    const log = this.log(group);
    for (let i = 0; i < count; i++) {
      this.append(log, encoder.encode(JSON.stringify({ n: log.top + 1 })), sender);
    }
    this.flush();
  }

  clear(group: string, tell = true): void {
    const log = this.birth(group, true);
    for (const peer of tell ? this.peers.values() : []) {
      const cursor = peer.cursors.get(group);
      if (cursor !== undefined) {
        this.rebirth(peer, cursor, log);
      }
    }
  }

  trim(group: string, keep: number): void {
    const log = this.log(group);
    log.entries = log.entries.slice(-keep);
  }

  /** All connections are cut. */
  cut(code = 1006): void {
    for (const { socket } of [...this.peers.values()]) {
      socket.serverCloses(code);
    }
  }

  restart(): void {
    this.cut(4000);
    this.logs.clear();
    this.id += '+';
  }

  control(record: Control): void {
    for (const { socket } of this.peers.values()) {
      socket.deliver(encodeControl(record));
    }
  }

  // -- the protocol

  accept(socket: FakeSocket): void {
    this.peers.set(socket, { socket, number: ++this.connections, cursors: new Map() });
  }

  gone(socket: FakeSocket): void {
    this.peers.delete(socket);
  }

  receive(socket: FakeSocket, data: string | Uint8Array): void {
    const peer = this.peers.get(socket);
    if (peer === undefined) {
      return;
    }
    if (typeof data === 'string') {
      this.controlled(peer, decodeControl(data));
    } else {
      this.published(peer, decodeRecords(data));
    }
    this.flush();
  }

  private controlled(peer: Peer, record: Control): void {
    const reply = (answer: Control): void => {
      peer.socket.deliver(encodeControl(answer));
    };
    switch (record.op) {
      case 'hello':
        this.hellos.push(record);
        if (!this.tickets.delete(record.ticket as string)) {
          peer.socket.serverCloses(4500);
          return;
        }
        reply({
          op: 'welcome', server: this.id, version: '0.1.0', connection: peer.number, user: 'ada', heartbeat: 20,
          limits: { message: 16777216, window: this.window, window_bytes: 1048576, subscriptions: 256 }, layer: this.layer
        });
        for (const ask of record.subscriptions as Ask[]) {
          this.subscribe(peer, ask, reply);
        }
        break;
      case 'subscribe':
        this.subscribe(peer, record as unknown as Ask, reply);
        break;
      case 'unsubscribe':
        peer.cursors.delete(record.group as string);
        reply({ op: 'unsubscribed', group: record.group, error: null });
        break;
      case 'ack':
        for (const [id, offset] of record.logs as [number, number][]) {
          for (const cursor of peer.cursors.values()) {
            if (cursor.log.id === id) {
              cursor.acknowledged = offset;
            }
          }
        }
        break;
      case 'call':
        this.read(peer, record.id as number, record.arguments as Ask & { limit: number }, reply);
        break;
    }
  }

  private subscribe(peer: Peer, ask: Ask, reply: (answer: Control) => void): void {
    const { group, mode = 'log' } = ask;
    if (this.forbidden.has(group)) {
      reply({ op: 'unsubscribed', group, error: { code: 'forbidden', message: 'you may not', temporary: false } });
      return;
    }
    const log = this.log(group);
    const standing = this.locate(log, ask);
    peer.cursors.set(group, { group, log, offset: standing.offset, acknowledged: standing.offset, mode });
    reply({ op: 'subscribed', group, id: log.id, ...standing });
  }

  private read(peer: Peer, id: number, ask: Ask & { limit: number }, reply: (answer: Control) => void): void {
    this.reads += 1;
    if (this.forbidden.has(ask.group)) {
      reply({ op: 'error', id, error: { code: 'forbidden', message: 'you may not', temporary: false } });
      return;
    }
    const log = this.log(ask.group);
    const standing = this.locate(log, ask);
    const entries = log.entries.filter(one => one.sequence > standing.offset).slice(0, ask.limit);
    if (entries.length > 0) {
      peer.socket.deliver(encodeRecords(entries.map(one => ({ ...one, kind: KIND.ENTRY, id }))));
    }
    reply({ op: 'result', id, value: { ...standing, count: entries.length } });
  }

  /** Where a request begins, in the words of `subscribed`. */
  private locate(log: Log, { since, position }: Ask): Record<string, unknown> & { offset: number } {
    const oldest = (log.entries[0]?.sequence ?? log.top + 1) - 1;
    const tagAt = (offset: number): number => log.entries.find(one => one.sequence === offset)?.tag ?? 0;
    const common = { epoch: log.epoch, top: log.top, lost: null as number | null, cleared: false };
    if (position === undefined) {
      const offset = since === 'now' || since === undefined ? log.top : since === 'earliest' ? oldest : Math.max(oldest, log.top - since.last);
      return { ...common, offset, tag: tagAt(offset), recovered: true, reason: null };
    }
    if (position.epoch !== log.epoch) {
      return { ...common, offset: oldest, tag: 0, recovered: false, reason: 'epoch', cleared: log.cleared };
    }
    if (position.offset < oldest) {
      return { ...common, offset: oldest, tag: 0, recovered: false, reason: 'trimmed', lost: oldest - position.offset };
    }
    if (position.offset > log.top || (position.offset > oldest && tagAt(position.offset) !== position.tag)) {
      return { ...common, offset: oldest, tag: 0, recovered: false, reason: 'tag' };
    }
    return { ...common, offset: position.offset, tag: position.tag, recovered: true, reason: null };
  }

  private published(peer: Peer, records: readonly DataRecord[]): void {
    for (const record of records) {
      const log = this.log(record.name);
      this.append(log, record.body, peer.number, record.codec);
      const receipt = {
        kind: 'group', name: record.name, sequence: record.sequence, members: 0, subscribers: 1, dropped: 0,
        epoch: log.epoch, offset: log.top, tag: log.top, meaning: 'memory', duplicate: false, hint: null
      };
      peer.socket.deliver(encodeControl({ op: 'accepted', targets: [['group', record.name, record.sequence]], receipts: [receipt] }));
    }
  }

  /** Send what the windows allow. */
  private flush(): void {
    for (const peer of this.peers.values()) {
      for (const cursor of peer.cursors.values()) {
        this.flushCursor(peer, cursor);
      }
    }
  }

  private flushCursor(peer: Peer, cursor: Cursor): void {
    const current = this.log(cursor.group);
    if (current !== cursor.log && current.entries.length > 0) {
      this.rebirth(peer, cursor, current);
    }
    let due = cursor.log.entries.filter(one => one.sequence > cursor.offset);
    const oldest = due[0];
    if (oldest !== undefined && oldest.sequence > cursor.offset + 1) {
      this.skip(peer, cursor, oldest.sequence - 1, 'trimmed');
    }
    if (cursor.mode === 'latest' && due.length > 1 && cursor.offset - cursor.acknowledged >= this.window) {
      due = [];
    } else if (cursor.mode === 'latest' && due.length > this.window) {
      this.skip(peer, cursor, cursor.log.top - 1, 'conflated');
      due = due.slice(-1);
    }
    const room = Math.max(0, this.window - (cursor.offset - cursor.acknowledged));
    for (let i = 0; i < Math.min(room, due.length); i += 256) {
      const some = due.slice(i, Math.min(i + 256, room));
      peer.socket.deliver(encodeRecords(some.map(one => ({ ...one, id: cursor.log.id }))));
      cursor.offset = some[some.length - 1]!.sequence;
    }
  }

  private skip(peer: Peer, cursor: Cursor, to: number, reason: string): void {
    peer.socket.deliver(encodeControl({ op: 'gap', id: cursor.log.id, from: cursor.offset + 1, to, reason }));
    cursor.offset = cursor.acknowledged = to;
  }

  private rebirth(peer: Peer, cursor: Cursor, log: Log): void {
    Object.assign(cursor, { log, offset: 0, acknowledged: 0 });
    peer.socket.deliver(encodeControl({
      op: 'subscribed', group: cursor.group, id: log.id, epoch: log.epoch, offset: 0, tag: 0, top: log.top,
      recovered: false, reason: 'epoch', cleared: log.cleared, lost: null
    }));
  }

  private append(log: Log, body: Uint8Array, sender: number, codec: DataRecord['codec'] = CODEC.json): void {
    log.top += 1;
    log.entries.push({
      kind: KIND.MESSAGE, codec, flags: 0, name: '', id: 0, tag: 5000 + log.top * 7, sequence: log.top, time: 1, sender, body
    });
  }

  private log(group: string): Log {
    return this.logs.get(group) ?? this.birth(group, false);
  }

  private birth(group: string, cleared: boolean): Log {
    const log = { id: ++this.nextLog, epoch: (++this.nextEpoch).toString(16).padStart(16, '0'), entries: [], top: 0, cleared };
    this.logs.set(group, log);
    return log;
  }
}
