import { Presets, SingleBar } from 'cli-progress';

/** A bar on a terminal, a line per step elsewhere. Everything goes to stderr, so that stdout is the table alone. */
export class Progress {
  readonly #bar: SingleBar | undefined;
  readonly #total: number;
  #done = 0;

  constructor(title: string, total: number) {
    this.#total = total;
    if (process.stderr.isTTY) {
      this.#bar = new SingleBar(
        {
          format: `${title} {bar} {percentage} % | {step} | {eta_formatted}`,
          stream: process.stderr,
          hideCursor: true,
        },
        Presets.shades_classic,
      );
      this.#bar.start(total, 0, { step: '' });
    } else {
      say(title);
    }
  }

  /** Says what begins now. */
  step(step: string): void {
    if (this.#bar === undefined) say(`  ${String(this.#done + 1).padStart(3)}/${this.#total} ${step}`);
    else this.#bar.update(this.#done, { step });
    this.#done += 1;
  }

  stop(): void {
    this.#bar?.update(this.#total, { step: 'done' });
    this.#bar?.stop();
  }
}

export function say(message: string): void {
  process.stderr.write(`${message}\n`);
}
