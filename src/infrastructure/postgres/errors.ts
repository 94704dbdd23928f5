/** No connection could be made: the server is away, refuses us, or is starting. Nothing was sent. */
export class ConnectionFailed extends Error {
  override readonly name = 'ConnectionFailed';
  constructor(cause: unknown) {
    super('no connection to PostgreSQL', { cause });
  }
}

/** Every connection was in use for as long as a caller may wait. Nothing was sent. */
export class PoolExhausted extends Error {
  override readonly name = 'PoolExhausted';
  constructor(cause: unknown) {
    super('no free connection to PostgreSQL', { cause });
  }
}

/** The connection broke under a statement, or was ended by the server. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
  /** Whether COMMIT had been sent: then nobody on our side knows if the transaction happened. */
  readonly whileCommitting: boolean;
  constructor(cause: unknown, whileCommitting = false) {
    super('the connection to PostgreSQL was lost', { cause });
    this.whileCommitting = whileCommitting;
  }
}

/** PostgreSQL did not answer a statement, not even that it took too long. */
export class ServerSilent extends Error {
  override readonly name = 'ServerSilent';
  constructor(ms: number) {
    super(`PostgreSQL has not answered for ${ms} ms`);
  }
}

/** SQLSTATE of an error PostgreSQL sent, or undefined. */
export function sqlStateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('severity' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/**
 * Whether PostgreSQL, or the system below it, had no room for a file. 53100 disk_full; a quota that is used up comes as
 * 58030 io_error or XX000 internal_error, and only its text tells.
 */
export function isDiskFull(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state === '53100') return true;
  return (
    (state === '58030' || state === 'XX000') &&
    error instanceof Error &&
    /no space left on device|quota exceeded/i.test(error.message)
  );
}

/** Name of the constraint that refused, or undefined. Compare by prefix: shards append a number to it. */
export function constraintOf(error: unknown): string | undefined {
  return error instanceof Error && 'constraint' in error && typeof error.constraint === 'string'
    ? error.constraint
    : undefined;
}

/** 57P01 admin_shutdown, 57P02 crash_shutdown, 57P03 cannot_connect_now, 57P05 idle_session_timeout, 25P03/25P04 idle in transaction. */
const ENDS_THE_SESSION = new Set(['57P01', '57P02', '57P03', '57P05', '25P03', '25P04']);

/** Whether the error means that this connection is of no more use. */
export function isConnectionLoss(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state !== undefined) return state.startsWith('08') || ENDS_THE_SESSION.has(state);
  if (error instanceof ServerSilent) return true;
  // Not from PostgreSQL: the socket (ECONNRESET, EPIPE …) or the driver ("Connection terminated").
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  return (
    (typeof code === 'string' && /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_)/.test(code)) ||
    /Connection terminated|Client has encountered a connection error|not queryable/.test(error.message)
  );
}
