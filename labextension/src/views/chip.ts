import type { ConnectionState } from '../client/types';
import { element, setText } from './dom';
import { formatCount, formatDuration } from './format';

/** All that the state chip speaks of. */
export interface Health {
  readonly connection: ConnectionState;
  /** Messages known to the server that have not arrived here. */
  readonly lag: number;
  readonly gaps: number;
  /** Messages lost in these gaps, as far as known. */
  readonly lost: number;
  readonly paused: boolean;
  /** Messages that wait while paused. */
  readonly waiting: number;
  /** Why the server ended the subscription, if it did. */
  readonly ended: string | null;
  /** Seconds since the last message; null before the first. */
  readonly silence: number | null;
}

/** What the chip says: `text` at a glance, `title` in full. */
export interface Statement {
  readonly tone: 'good' | 'busy' | 'warn' | 'bad' | 'idle';
  readonly text: string;
  readonly title: string;
}

/** Below this many messages a lag is the normal flow. */
const LAG = 20;

/** Put the state into words. */
export function describe(health: Health): Statement {
  const { connection, paused, waiting, gaps, lost, lag } = health;
  const parts: string[] = [];
  const sentences: string[] = [];
  let tone: Statement['tone'] = 'good';
  if (health.ended !== null) {
    tone = 'bad';
    parts.push('stopped');
    sentences.push(health.ended);
  } else {
    tone = toneOf(connection);
    parts.push(connection.status);
    sentences.push(SENTENCES[connection.status]);
    if (connection.status !== 'live' && connection.detail !== '') {
      sentences.push(connection.detail);
    }
    if (connection.foreign === true) {
      parts.push('foreign');
      sentences.push("The channels are another site's: its history begins with the first who watched, and what it loses is not told.");
    }
    if (connection.trouble !== undefined) {
      tone = 'warn';
      parts.splice(0, 1, 'stale');
      sentences.splice(0, 1, 'Connected to the Jupyter server, which has lost what it shares messages by: nothing new comes until it is back.', connection.trouble);
    } else if (connection.status !== 'live' && health.silence !== null) {
      parts.push('stale');
      sentences.push('The picture shows what was received before.');
    }
  }
  if (paused) {
    tone = tone === 'good' ? 'idle' : tone;
    parts.splice(0, tone === 'idle' ? 1 : 0, 'paused');
    sentences.push(`Paused: the picture stands still, ${formatCount(waiting)} messages wait.`);
  }
  if (lag > LAG && !paused) {
    tone = tone === 'good' ? 'busy' : tone;
    parts.push(`lag ${formatCount(lag)}`);
    sentences.push(`${formatCount(lag)} messages are on their way.`);
  }
  if (gaps > 0) {
    tone = tone === 'good' ? 'warn' : tone;
    parts.push(`gaps ${formatCount(gaps)}`);
    sentences.push(`Interrupted ${gaps === 1 ? 'once' : `${formatCount(gaps)} times`}${lost > 0 ? `: ${formatCount(lost)} messages are missing` : ''}.`);
  }
  if (health.silence !== null && connection.status === 'live') {
    sentences.push(`Last message ${formatDuration(health.silence)} ago.`);
  }
  return { tone, text: parts.join(' · '), title: sentences.join('\n') };
}

const SENTENCES: Readonly<Record<ConnectionState['status'], string>> = {
  connecting: 'Connecting to the Jupyter server.',
  live: 'Connected: messages are shown as they come.',
  reconnecting: 'The connection was lost; trying again. Nothing is lost while the server keeps its log.',
  offline: 'The server with the nbchannels extension cannot be reached.',
  refused: 'The server refused the connection.'
};

function toneOf({ status }: ConnectionState): Statement['tone'] {
  switch (status) {
    case 'live':
      return 'good';
    case 'connecting':
    case 'reconnecting':
      return 'busy';
    case 'offline':
    case 'refused':
      return 'bad';
  }
}

/** The chip itself. */
export class Chip {
  readonly element = element('span', 'nbc-chip');
  private readonly text = element('span');

  constructor() {
    const dot = element('span', 'nbc-dot');
    dot.setAttribute('aria-hidden', 'true');
    this.element.append(dot, this.text);
  }

  show(statement: Statement): void {
    this.element.dataset['tone'] = statement.tone;
    setText(this.text, statement.text);
    if (this.element.title !== statement.title) {
      this.element.title = statement.title;
    }
  }
}
