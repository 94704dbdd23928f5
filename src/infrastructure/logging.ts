import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';

export type { Logger };

/** Lines are handed to the operating system in pieces of this size, so that a request does not wait for its log line. */
const BUFFER_BYTES = 4_096;
const FLUSH_EVERY_MS = 500;

export type LogOptions = Readonly<{
  level: string;
  isTerminal: boolean;
  /** Where lines go instead of standard output. */
  stream?: { write(line: string): void };
}>;

/**
 * JSON lines on standard output, or readable ones on a terminal.
 *
 * What is logged is ids, decimal text and event names. `redact` is a net under that rule, not the rule: it knows only
 * these places.
 */
export function createLogger({ level, isTerminal, stream }: LogOptions): Logger {
  const options = {
    level,
    base: {},
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    messageKey: 'event',
    redact: ['email', '*.email', 'headers["x-api-key"]', '*.headers["x-api-key"]', 'api_key', '*.api_key'],
  };
  if (stream !== undefined) return pino(options, stream);
  if (isTerminal) return pino(options, pretty({ colorize: true, messageKey: 'event', translateTime: 'HH:MM:ss.l' }));

  const destination = pino.destination({ dest: 1, sync: false, minLength: BUFFER_BYTES });
  setInterval(() => destination.flush(), FLUSH_EVERY_MS).unref();
  return pino(options, destination);
}

/** Waits until every line has left the process. */
export async function flushLogger(logger: Logger): Promise<void> {
  await new Promise<void>((resolve) => logger.flush(() => resolve()));
}
