import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import { CONNECTION_LIMITS } from './connection-limits.ts';
import { onClosed } from './on-closed.ts';
import { HttpError, PROBLEMS, RETRY_AFTER_SECONDS, writeProblem } from './problems.ts';
import { addOnRequest, isBelow, isHeavyRead, isRead } from './route-hooks.ts';

/** How busy the process is, as of now. */
export interface Load {
  /** How late the event loop runs, in milliseconds. */
  eventLoopDelayMs(): number;
  /** Callers that wait for a database connection, per connection there is. */
  waitingPerConnection(): number;
  /** The same, with the reads that wait for one of those connections that reads may use. */
  readsWaitingPerConnection(): number;
  /** The same of the connections that long answers are streamed through. */
  streamsWaitingPerConnection(): number;
  /** Waits until a read that begins now would not wait for long. */
  nearRead(): Promise<void>;
}

/** What is turned away first, and what last. */
export type LoadClass = 'reads' | 'all';

type Threshold = Readonly<{
  /** Queues up to here are served without a thought: bursts are no overload. Per database connection. */
  waitingMin: number;
  /** How long the queue for a connection takes, at the pace of the last seconds. */
  waitMaxMs: number;
  /** Longest queue whatever the pace. Per database connection. */
  waitingMax: number;
  /** How late the event loop may run. */
  delayMaxMs: number;
}>;

/** Beyond it lists, statements and reports get 503. Leaves room below a second for what an answer takes beside waiting. */
export const READS: Threshold = { waitingMin: 3, waitMaxMs: 300, waitingMax: 20, delayMaxMs: 200 };
/** Beyond it everything of the API does, payments included: answering late would be answering nobody. */
export const ALL: Threshold = { waitingMin: 10, waitMaxMs: 800, waitingMax: 40, delayMaxMs: 500 };
/** With fewer requests at once a late loop is not their doing but the machine's, and refusing them would help nobody. */
export const IN_FLIGHT_MIN = 64;
/**
 * A refusal is held back for between one and two of these. Clients that ask again at once would otherwise keep the
 * process busy with refusing: a thousand of them ask some 670 times a second this way, and not all at the same moment.
 */
const REFUSE_AFTER_MS = 1_000;
/** So many are held back at once: half of the connections there may be. Whoever is refused beyond that is so at once. */
const HELD_MAX = CONNECTION_LIMITS.connectionsMax / 2;
/** Windows in which the pace is taken, and the weight of the newest. */
const WINDOW_MS = 100;
const NEWEST_WEIGHT = 0.3;
/** Answers a second and connection before any were seen, and at least. */
const PACE_AT_START = 100;
const PACE_MIN = 1;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A read that is done together with others: the more wait for it at the same time, the better. */
    isBatched?: boolean;
  }
  interface FastifyRequest {
    isAdmitted: boolean;
  }
}

const DETAIL = 'The server has too much to do; try again';
/** One for all: it tells nothing of the request, and a stack trace each would cost more than the refusal. */
const OVERLOADED = new HttpError('overloaded', DETAIL);
const { status: STATUS } = PROBLEMS.overloaded;
const RETRY_AFTER = String(RETRY_AFTER_SECONDS.overloaded);

/** What a refusal owes that is otherwise done by hooks. */
export type Refusals = Readonly<{
  /** Requests for which it is false (the process stops, say) are left to the hooks. */
  isOpen(request: IncomingMessage): boolean;
  requestId(request: IncomingMessage): string;
  onRefused(facts: Readonly<{ method: string; id: string; status: number; ms: number }>): void;
}>;

/**
 * Turns work away while there is more than can be answered in time: what is heavy and can be asked again first, what
 * moves money last, and health, documentation and metrics never. Nobody is asked for a key before: an answer that is the
 * same for everybody and every address tells nothing.
 *
 * @param connections how many the database may be asked through at once
 * @param onShed told of every request that was turned away
 */
export function shedLoad(
  app: FastifyInstance,
  of: { prefix: string; connections: number; load: Load; onShed(what: LoadClass): void; refusals: Refusals },
): void {
  const { prefix, connections, load, onShed, refusals } = of;
  const pace = new Pace(load, connections);
  const isTooMuch = ({ waitingMin, waitMaxMs, waitingMax, delayMaxMs }: Threshold, waiting: number): boolean =>
    waiting > waitingMax ||
    (waiting > waitingMin && pace.waitMs(waiting) > waitMaxMs) ||
    (pace.inFlight > IN_FLIGHT_MIN && load.eventLoopDelayMs() > delayMaxMs);
  const isBusyFor: Readonly<Record<LoadClass, () => boolean>> = {
    reads: () =>
      isTooMuch(READS, load.readsWaitingPerConnection()) || load.streamsWaitingPerConnection() > READS.waitingMax,
    all: () => isTooMuch(ALL, load.waitingPerConnection()),
  };
  const holdBack = holder();

  const leave = (request: FastifyRequest, isAnswered: boolean): void => {
    if (!request.isAdmitted) return;
    request.isAdmitted = false;
    pace.end(isAnswered);
  };
  const admit = (what: LoadClass): onRequestHookHandler => {
    return (request, reply, done) => {
      if (isBusyFor[what]()) {
        onShed(what);
        holdBack(() => done(OVERLOADED));
        return;
      }
      request.isAdmitted = true;
      pace.begin();
      // Of a client that left half-way there is no onResponse.
      onClosed(reply.raw, () => leave(request, false));
      done();
    };
  };
  const [reads, all] = [admit('reads'), admit('all')];
  // Before the handler, because all that a handler makes would wait with it.
  const waitOutside: onRequestHookHandler = (_request, reply, done) => {
    const begin = (): void => {
      // Whoever left meanwhile needs no answer.
      if (!reply.raw.destroyed) done();
    };
    load.nearRead().then(begin, done);
  };
  const answered = (request: FastifyRequest, _reply: unknown, done: () => void): void => {
    leave(request, true);
    done();
  };
  app.decorateRequest('isAdmitted', false);
  app.addHook('onRoute', (route) => {
    if (!isBelow(prefix, route)) return;
    addOnRequest(route, isHeavyRead(route) ? reads : all);
    if (isHeavyRead(route) && route.config?.isBatched !== true) addOnRequest(route, waitOutside);
    route.onResponse = [route.onResponse ?? [], answered].flat();
  });

  // In front of Fastify, because under overload most of what it would do (routing, a dozen hooks, its own request and
  // reply, which then wait for seconds) would be done for requests that are turned away. What comes another way than by
  // this server's socket is turned away by the hooks above.
  app.server.removeAllListeners('request');
  app.server.on('request', (request, response) => {
    const what = classOf(prefix, request);
    if (what === undefined || !refusals.isOpen(request) || !isBusyFor[what]()) {
      app.routing(request, response);
      return;
    }
    onShed(what);
    const arrivedAt = performance.now();
    holdBack(() => {
      if (response.destroyed) return;
      const id = refuse(request, response, refusals);
      const ms = performance.now() - arrivedAt;
      refusals.onRefused({ method: request.method ?? '', id, status: STATUS, ms });
    });
  });
}

/** The class of a request by its address alone: a path that ends in digits is one row. Undefined: never turned away. */
function classOf(prefix: string, { url = '', method = '' }: IncomingMessage): LoadClass | undefined {
  if (!url.startsWith(`${prefix}/`)) return undefined;
  return isRead(method) && !/\/\d+(?:\?|$)/.test(url) ? 'reads' : 'all';
}

/** Answers with the problem document. Returns the request's id. */
function refuse(request: IncomingMessage, response: ServerResponse, { requestId }: Refusals): string {
  const id = requestId(request);
  const headers = { 'retry-after': RETRY_AFTER };
  writeProblem(response, { code: 'overloaded', detail: DETAIL, url: request.url ?? '', id, headers });
  return id;
}

/** Puts refusals off, but not more than {@link HELD_MAX} at once. */
function holder(): (refuse: () => void) => void {
  let held = 0;
  return (refuse) => {
    if (held >= HELD_MAX) {
      refuse();
      return;
    }
    held += 1;
    const letGo = (): void => {
      held -= 1;
      refuse();
    };
    setTimeout(letGo, REFUSE_AFTER_MS * (1 + Math.random()));
  };
}

/** How fast work is done while some of it waits. A pace that nobody had to wait for says nothing about what is possible. */
class Pace {
  inFlight = 0;
  readonly #load: Load;
  readonly #connections: number;
  #perSecond: number;
  #done = 0;
  #windowAt = performance.now();

  constructor(load: Load, connections: number) {
    this.#load = load;
    this.#connections = connections;
    this.#perSecond = PACE_AT_START * connections;
  }

  begin(): void {
    this.inFlight += 1;
  }

  /** @param isAnswered false when the client left: that was fast, and says nothing of how fast work is done */
  end(isAnswered: boolean): void {
    this.inFlight -= 1;
    if (isAnswered) this.#done += 1;
    this.#look();
  }

  /** How long so many callers per connection will have waited, in milliseconds. */
  waitMs(waitingPerConnection: number): number {
    this.#look();
    return (1_000 * waitingPerConnection * this.#connections) / this.#perSecond;
  }

  #look(): void {
    const now = performance.now();
    const elapsedMs = now - this.#windowAt;
    if (elapsedMs < WINDOW_MS) return;
    // A window without anybody waiting, or an idle time before this one, is no measure.
    if (this.#load.readsWaitingPerConnection() > 0 && elapsedMs < 10 * WINDOW_MS) {
      const seen = Math.max(PACE_MIN, (1_000 * this.#done) / elapsedMs);
      this.#perSecond += NEWEST_WEIGHT * (seen - this.#perSecond);
    }
    this.#done = 0;
    this.#windowAt = now;
  }
}
