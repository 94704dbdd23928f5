import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import { HttpError } from './problem.ts';
import { addOnRequest, isBelow, isHeavyRead } from './route-hooks.ts';

/** How busy the process is, as of now. */
export interface Load {
  /** How late the event loop runs, in milliseconds, over the last tenth of a second. */
  eventLoopDelayMs(): number;
  /** Callers that wait for a database connection, per connection there is. */
  waitingPerConnection(): number;
  /** The same of the connections that long answers are streamed through. */
  streamsWaitingPerConnection(): number;
}

/** What is turned away first, and what last. */
export type LoadClass = 'reads' | 'all';

/**
 * Beyond either, lists, statements and reports get 503. A connection does 100 to 1,000 statements a second, so whoever
 * is tenth in its queue waits 10 to 100 ms; the other value leaves what is accepted below a second.
 */
const READS_WAITING_MAX = 10;
const READS_DELAY_MAX_MS = 200;
/** Beyond either, everything of the API does, payments included: answering late would be answering nobody. */
const ALL_WAITING_MAX = 40;
const ALL_DELAY_MAX_MS = 500;

const DETAIL = 'The server has too much to do; try again';

/**
 * Turns work away while there is more than can be answered in time: what is heavy and can be asked again first, what
 * moves money last, and health, documentation and metrics never.
 *
 * @param onShed told of every request that was turned away
 */
export function shedLoad(
  app: FastifyInstance,
  { prefix, load, onShed }: { prefix: string; load: Load; onShed(what: LoadClass): void },
): void {
  const refuse = (isTooMuch: () => boolean, what: LoadClass): onRequestHookHandler => {
    return (_request, _reply, done) => {
      if (!isTooMuch()) {
        done();
        return;
      }
      onShed(what);
      done(new HttpError('overloaded', DETAIL));
    };
  };
  const reads = refuse(
    () =>
      load.eventLoopDelayMs() > READS_DELAY_MAX_MS ||
      load.waitingPerConnection() > READS_WAITING_MAX ||
      load.streamsWaitingPerConnection() > READS_WAITING_MAX,
    'reads',
  );
  const all = refuse(
    () => load.eventLoopDelayMs() > ALL_DELAY_MAX_MS || load.waitingPerConnection() > ALL_WAITING_MAX,
    'all',
  );
  app.addHook('onRoute', (route) => {
    if (isBelow(prefix, route)) addOnRequest(route, isHeavyRead(route) ? reads : all);
  });
}
