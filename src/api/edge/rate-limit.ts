import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import { HttpError } from './problems.ts';
import { addOnRequest, isBelow } from './route-hooks.ts';

const WINDOW_MS = 60_000;
/** Callers remembered at once. Beyond it the one seen first is forgotten, who then begins anew: memory is bounded. */
export const CALLERS_MAX = 10_000;

export type RateLimitOptions = Readonly<{
  prefix: string;
  /** 0: no limit, and no hook. */
  perMinute: number;
  /** Milliseconds since some fixed moment. */
  now(): number;
  /** Names who is counted. */
  callerOf(request: FastifyRequest): string;
  onLimited(): void;
}>;

/**
 * Allows each caller so many requests a minute, counted in windows that begin with a caller's first request, and says
 * in `RateLimit-*` headers (draft-ietf-httpapi-ratelimit-headers-07) what is left. Counts are this process's own: two
 * processes together allow twice as many.
 */
export function limitRates(app: FastifyInstance, options: RateLimitOptions): void {
  const { prefix, perMinute, now, callerOf, onLimited } = options;
  if (perMinute === 0) return;
  const windows = new RateWindows();
  const hook: onRequestHookHandler = (request, reply, done) => {
    const { count, resetInMs } = windows.count(callerOf(request), now());
    const resetInSeconds = String(Math.ceil(resetInMs / 1_000));
    reply.header('ratelimit-limit', String(perMinute));
    reply.header('ratelimit-remaining', String(Math.max(0, perMinute - count)));
    reply.header('ratelimit-reset', resetInSeconds);
    if (count <= perMinute) {
      done();
      return;
    }
    onLimited();
    const headers = { 'retry-after': resetInSeconds };
    done(new HttpError('rate_limited', `More than ${perMinute} requests in a minute`, { headers }));
  };
  app.addHook('onRoute', (route) => {
    if (isBelow(prefix, route)) addOnRequest(route, hook);
  });
}

type Window = { count: number; readonly endsAt: number };

/** Counts by caller, at most {@link CALLERS_MAX} of them. */
export class RateWindows {
  readonly #windows = new Map<string, Window>();

  get size(): number {
    return this.#windows.size;
  }

  /** Counts one more request. @param now milliseconds */
  count(caller: string, now: number): { count: number; resetInMs: number } {
    const known = this.#windows.get(caller);
    const window = known !== undefined && now < known.endsAt ? known : this.#open(caller, now);
    window.count += 1;
    return { count: window.count, resetInMs: window.endsAt - now };
  }

  #open(caller: string, now: number): Window {
    // Taken out first, so that the map stays in the order in which windows end.
    this.#windows.delete(caller);
    if (this.#windows.size >= CALLERS_MAX) {
      const [oldest] = this.#windows.keys();
      if (oldest !== undefined) this.#windows.delete(oldest);
    }
    const window = { count: 0, endsAt: now + WINDOW_MS };
    this.#windows.set(caller, window);
    return window;
  }
}
