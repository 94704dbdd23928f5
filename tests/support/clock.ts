/** A clock that stands where a test puts it, and runs with the machine's until then. */
export class FakeClock {
  #at: Date | null = null;

  now(): Date {
    return this.#at === null ? new Date() : new Date(this.#at);
  }

  /** @param instant RFC 3339, such as 2026-02-28T23:59:59-06:00 */
  travelTo(instant: string): void {
    this.#at = new Date(instant);
  }

  /** Back to the machine's time. */
  release(): void {
    this.#at = null;
  }
}
