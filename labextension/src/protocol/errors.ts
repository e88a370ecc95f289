/** The errors of the protocol. They are told apart by `name` and `code`: `instanceof` fails across copies of this code. */

/** The close codes a client gives itself; the table stands in docs/wire-protocol.md. */
export const CLOSE = {
  TOO_BIG: 1009,
  NO_HEARTBEAT: 4003,
  LOSS: 4006,
  BAD_FRAME: 4501
} as const;

/** The peer broke the protocol: the connection cannot go on. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';

  /**
   * @param reason one word for tests and logs
   * @param closeCode the WebSocket close code that says so
   */
  constructor(
    readonly reason: string,
    message: string,
    readonly closeCode: number = CLOSE.BAD_FRAME
  ) {
    super(message);
  }
}

/** A body cannot be read. The stream goes on: only this message is lost to the one who asked for its content. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** A message cannot be written. */
export class EncodingError extends Error {
  override readonly name = 'EncodingError';
}
