import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import type { Caller } from './authentication.ts';
import { HttpError } from './problems.ts';

const WINDOW_MS = 60_000;
/** Callers remembered at once. Beyond it the one seen first is forgotten, who then begins anew: memory is bounded. */
export const CALLERS_MAX = 10_000;

export type RateLimitOptions = Readonly<{
  prefix: string;
  /** 0: no limit, and no hook. */
  perMinute: number;
  callerOf(request: FastifyRequest): Caller;
  onLimited(): void;
  /** Milliseconds by a clock that is never set: else whoever sets it could send somebody away for years. */
  now?: () => number;
}>;

/**
 * Allows each caller so many requests a minute, counted in windows that begin with a caller's first request, and says
 * in `RateLimit-*` headers (draft-ietf-httpapi-ratelimit-headers-07) what is left. Counts are this process's own: two
 * processes together allow twice as many.
 *
 * To run in front of the gate, so that wrong and missing keys are counted too, for the address they come from: whatever
 * is below the prefix, and what is refused without a key elsewhere. Health and documentation are not.
 */
export function rateLimit(options: RateLimitOptions): onRequestHookHandler | undefined {
  const { prefix, perMinute, callerOf, onLimited, now = () => performance.now() } = options;
  if (perMinute === 0) return undefined;
  const windows = new RateWindows();
  return (request, reply, done) => {
    const { name, isKnown } = callerOf(request);
    const isCounted =
      request.url.startsWith(`${prefix}/`) || !(isKnown || request.routeOptions.config.scope === 'open');
    if (!isCounted) {
      done();
      return;
    }
    const { count, resetInMs } = windows.count(name, now());
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
