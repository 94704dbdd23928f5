import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

/** How often the loop is asked to be on time; each answer is late by what the loop did in between. */
const RESOLUTION_MS = 20;
const WINDOW_MS = 100;
const NANOSECONDS_PER_MS = 1e6;

/** How late the event loop runs: the delay that every request in the process shares. */
export class EventLoopDelay {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #timer: NodeJS.Timeout;
  #count = 0;
  #sumNs = 0;
  #recentMs = 0;

  constructor() {
    this.#histogram.enable();
    this.#timer = setInterval(() => this.#look(), WINDOW_MS).unref();
  }

  /** Mean over the last window: one pause to collect garbage is no overload. */
  get recentMs(): number {
    return this.#recentMs;
  }

  /** In seconds, since the last call. */
  takeSummary(): Readonly<{ mean: number; p99: number; max: number }> {
    const seconds = (ns: number): number => Math.max(0, ns / NANOSECONDS_PER_MS - RESOLUTION_MS) / 1_000;
    const { mean, max } = this.#histogram;
    const summary = { mean: seconds(mean || 0), p99: seconds(this.#histogram.percentile(99)), max: seconds(max) };
    this.#look();
    this.#histogram.reset();
    this.#count = 0;
    this.#sumNs = 0;
    return summary;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }

  #look(): void {
    const { count, mean } = this.#histogram;
    if (count === this.#count) return;
    const sumNs = mean * count;
    const meanNs = (sumNs - this.#sumNs) / (count - this.#count);
    this.#recentMs = Math.max(0, meanNs / NANOSECONDS_PER_MS - RESOLUTION_MS);
    this.#count = count;
    this.#sumNs = sumNs;
  }
}
