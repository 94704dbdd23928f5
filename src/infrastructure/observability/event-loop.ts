import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

/** How often the histogram's own timer asks the loop to be on time; each answer is late by what the loop did meanwhile. */
const RESOLUTION_MS = 20;
/** How often the delay of the moment is taken, and how much of an older one is left then: one pause is soon forgotten. */
const TICK_MS = 50;
const REMEMBERED = 0.5;
const NANOSECONDS_PER_MS = 1e6;

/** How late the event loop runs: the delay that every request in the process shares. */
export class EventLoopDelay {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #timer: NodeJS.Timeout;
  #tickedAt = performance.now();
  #recentMs = 0;

  constructor() {
    this.#histogram.enable();
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** As of now, by the last tick. */
  get recentMs(): number {
    return this.#recentMs;
  }

  /** In seconds, since the last call. */
  takeSummary(): Readonly<{ mean: number; p99: number; max: number }> {
    const seconds = (ns: number): number => Math.max(0, ns / NANOSECONDS_PER_MS - RESOLUTION_MS) / 1_000;
    const { mean, max } = this.#histogram;
    const summary = { mean: seconds(mean || 0), p99: seconds(this.#histogram.percentile(99)), max: seconds(max) };
    this.#histogram.reset();
    return summary;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }

  #tick(): void {
    const now = performance.now();
    const lateMs = Math.max(0, now - this.#tickedAt - TICK_MS);
    this.#recentMs = Math.max(lateMs, this.#recentMs * REMEMBERED);
    this.#tickedAt = now;
  }
}
