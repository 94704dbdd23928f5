/** Windows in which the pace is taken, and the weight of the newest. */
const WINDOW_MS = 100;
const NEWEST_WEIGHT = 0.3;
/** Answers a second and connection before any were seen, and at least. */
const PACE_AT_START = 100;
const PACE_MIN = 1;

/** How fast work is done while some of it waits. A pace that nobody had to wait for says nothing about what is possible. */
export class Pace {
  readonly #isWaiting: () => boolean;
  readonly #connections: number;
  #perSecond: number;
  #done = 0;
  #windowAt = performance.now();

  constructor(of: { connections: number; isWaiting: () => boolean }) {
    this.#isWaiting = of.isWaiting;
    this.#connections = of.connections;
    this.#perSecond = PACE_AT_START * of.connections;
  }

  /** @param isAnswered false when the client left: that was fast, and says nothing of how fast work is done */
  end(isAnswered: boolean): void {
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
    if (this.#isWaiting() && elapsedMs < 10 * WINDOW_MS) {
      const seen = Math.max(PACE_MIN, (1_000 * this.#done) / elapsedMs);
      this.#perSecond += NEWEST_WEIGHT * (seen - this.#perSecond);
    }
    this.#done = 0;
    this.#windowAt = now;
  }
}
