/** Names of groups and channels: ASCII letters, digits and `-_.`, at most 99 characters. */

const GROUP = /^[A-Za-z0-9._-]{1,99}$/;
// A process-local channel has one `!`: its prefix is the mailbox, what follows is the address inside it.
const CHANNEL = /^[A-Za-z0-9._-]+(?:![A-Za-z0-9._-]*)?$/;

/** The longest name, in bytes. */
export const MAX_NAME = 99;

/** Whether `name` may be the name of a group. */
export function isGroupName(name: string): boolean {
  return GROUP.test(name);
}

/** Whether `name` may be the name of a channel. */
export function isChannelName(name: string): boolean {
  return name.length <= MAX_NAME && CHANNEL.test(name);
}
