import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { HttpError, PROBLEMS, RETRY_AFTER_SECONDS, writeProblem } from '../problems.ts';
import { addOnRequest, isBelow, isHeavyRead, isRead } from '../route-hooks.ts';
import { CONNECTION_LIMITS } from './connection-limits.ts';
import { onClosed } from './on-closed.ts';
import { Pace } from './pace.ts';
import { Turns } from './turns.ts';

/** Lists, statements and reports; one row; whatever changes something. In the order in which they are turned away. */
export type LoadClass = 'lists' | 'rows' | 'writes';

/** How busy the process is, as of now. */
export interface Load {
  /** How late the event loop runs, in milliseconds. */
  eventLoopDelayMs(): number;
  /** Callers that wait for the database, for each connection there is: those of the class, and of the classes after it. */
  waitingPerConnection(what: LoadClass): number;
  /** The same of the connections that long answers are streamed through. */
  streamsWaitingPerConnection(): number;
}

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

/** Beyond it the class gets 503. Leaves room below a second for what an answer takes beside waiting. */
export const THRESHOLDS: Readonly<Record<LoadClass, Threshold>> = {
  lists: { waitingMin: 3, waitMaxMs: 300, waitingMax: 20, delayMaxMs: 200 },
  rows: { waitingMin: 6, waitMaxMs: 500, waitingMax: 30, delayMaxMs: 350 },
  // Payments among them: answering late would be answering nobody.
  writes: { waitingMin: 10, waitMaxMs: 800, waitingMax: 40, delayMaxMs: 500 },
};
/**
 * With fewer requests of the class and of those after it a late loop is not their doing, and refusing them would help
 * nobody: it is that of the machine, or of requests that are turned away before.
 */
export const IN_FLIGHT_MIN = 64;
/**
 * A refusal is held back for between one and two of these. Clients that ask again at once would otherwise keep the
 * process busy with refusing: a thousand of them ask some 670 times a second this way, and not all at the same moment.
 */
const REFUSE_AFTER_MS = 1_000;

/** How long a refusal is held back, in milliseconds. */
export function holdBackMs(): number {
  return REFUSE_AFTER_MS * (1 + Math.random());
}

/** So many are held back at once: as many as there are connections. Whoever is refused beyond that is so at once. */
const HELD_MAX = CONNECTION_LIMITS.connectionsMax;

declare module 'fastify' {
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
 * Lets those who pay go first, and turns work away while there is more than can be answered in time: lists first, then
 * single rows, and what moves money last; health, documentation and metrics never. Nobody is asked for a key before: an
 * answer that is the same for everybody and every address tells nothing.
 *
 * @param of.isKnown whether the right key came along
 * @param of.connections how many the database may be asked through at once
 * @param of.onShed told of every request that was turned away
 */
export function shedLoad(
  app: FastifyInstance,
  of: {
    prefix: string;
    isKnown(headers: IncomingHttpHeaders): boolean;
    connections: number;
    load: Load;
    onShed(what: LoadClass): void;
    refusals: Refusals;
  },
): void {
  const { prefix, isKnown, onShed, refusals } = of;
  const inFlight: InFlight = { lists: 0, rows: 0, writes: 0 };
  const turns = new Turns(() => inFlight.writes > 0);
  const guard = new Guard(of, turns, inFlight);
  const holdBack = holder();

  const leave = (request: FastifyRequest, what: LoadClass, isAnswered: boolean): void => {
    if (!request.isAdmitted) return;
    request.isAdmitted = false;
    guard.end(what, isAnswered);
  };
  app.decorateRequest('isAdmitted', false);
  app.addHook('onRoute', (route) => {
    if (!isBelow(prefix, route)) return;
    const what = isHeavyRead(route) ? 'lists' : isRead(route.method) ? 'rows' : 'writes';
    addOnRequest(route, (request, reply, done) => {
      if (guard.isTooMuch(what)) {
        onShed(what);
        holdBack(() => done(OVERLOADED));
        return;
      }
      request.isAdmitted = true;
      guard.begin(what);
      // Of a client that left half-way there is no onResponse.
      onClosed(reply.raw, () => leave(request, what, false));
      done();
    });
    const answered = (request: FastifyRequest, _reply: unknown, done: () => void): void => {
      leave(request, what, true);
      done();
    };
    route.onResponse = [route.onResponse ?? [], answered].flat();
  });

  // In front of Fastify, because under overload most of what it would do (routing, a dozen hooks, its own request and
  // reply, which then wait for seconds) would be done for requests that are turned away. What comes another way than by
  // this server's socket is turned away by the hooks above.
  app.server.removeAllListeners('request');
  app.server.on('request', (request, response) => {
    const what = classOf(prefix, request);
    if (what !== undefined && refusals.isOpen(request) && guard.isTooMuch(what)) {
      onShed(what);
      const arrivedAt = performance.now();
      holdBack(() => {
        if (response.destroyed) return;
        const id = refuse(request, response, refusals);
        const ms = performance.now() - arrivedAt;
        refusals.onRefused({ method: request.method ?? '', id, status: STATUS, ms });
      });
    } else if (what === 'writes' && isKnown(request.headers)) {
      app.routing(request, response);
    } else {
      // A write without the right key is refused like anything else that needs none.
      const lane = what === undefined || what === 'writes' ? 'others' : what;
      turns.begin(lane, () => app.routing(request, response));
    }
  });
}

/** The class of a request by its address alone: a path that ends in digits is one row. Undefined: never turned away. */
function classOf(prefix: string, { url = '', method = '' }: IncomingMessage): LoadClass | undefined {
  if (!url.startsWith(`${prefix}/`)) return undefined;
  if (!isRead(method)) return 'writes';
  return /\/\d+(?:\?|$)/.test(url) ? 'rows' : 'lists';
}

/** Requests that have begun, and have no answer yet. */
type InFlight = Record<LoadClass, number>;

/** Says whether there is too much to do for a class. */
class Guard {
  readonly #load: Load;
  readonly #connections: number;
  readonly #turns: Turns;
  readonly #pace: Pace;
  readonly #inFlight: InFlight;

  constructor({ load, connections }: { load: Load; connections: number }, turns: Turns, inFlight: InFlight) {
    this.#inFlight = inFlight;
    this.#load = load;
    this.#connections = connections;
    this.#turns = turns;
    this.#pace = new Pace({ connections, isWaiting: () => this.#waiting('lists') > 0 });
  }

  begin(what: LoadClass): void {
    this.#inFlight[what] += 1;
  }

  end(what: LoadClass, isAnswered: boolean): void {
    this.#inFlight[what] -= 1;
    this.#pace.end(isAnswered);
  }

  isTooMuch(what: LoadClass): boolean {
    const { waitingMin, waitMaxMs, waitingMax, delayMaxMs } = THRESHOLDS[what];
    const waiting = this.#waiting(what);
    return (
      waiting > waitingMax ||
      (waiting > waitingMin && this.#pace.waitMs(waiting) > waitMaxMs) ||
      (this.#crowd(what) > IN_FLIGHT_MIN && this.#load.eventLoopDelayMs() > delayMaxMs) ||
      (what === 'lists' && this.#load.streamsWaitingPerConnection() > waitingMax)
    );
  }

  /** For each connection. */
  #waiting(what: LoadClass): number {
    const rows = what === 'writes' ? 0 : this.#turns.waiting('rows');
    const lists = what === 'lists' ? this.#turns.waiting('lists') : 0;
    return this.#load.waitingPerConnection(what) + (rows + lists) / this.#connections;
  }

  /** Requests of the class that have begun, and of the classes after it. */
  #crowd(what: LoadClass): number {
    const { lists, rows, writes } = this.#inFlight;
    return writes + (what === 'writes' ? 0 : rows) + (what === 'lists' ? lists : 0);
  }
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
    setTimeout(letGo, holdBackMs());
  };
}
