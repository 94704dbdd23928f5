import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** In the child: answers each job that the parent sends, one after the other. */
export function answerJobs<Job, Result>(run: (job: Job) => Promise<Result>): void {
  process.on('message', (job: Job) => {
    run(job).then(
      (result) => process.send?.({ result }),
      (error: unknown) => process.send?.({ error: String(error instanceof Error ? error.stack : error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
}

/** In the parent: a process of its own that does jobs of one kind, so that its work is not ours. */
export class Worker<Job extends object, Result> {
  readonly #child: ChildProcess;

  constructor(file: string) {
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)));
  }

  async run(job: Job): Promise<Result> {
    return await new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error('a worker of the benchmark died'));
      this.#child.once('exit', gone);
      this.#child.once('message', (answer: { result: Result } | { error: string }) => {
        this.#child.off('exit', gone);
        if ('error' in answer) reject(new Error(answer.error));
        else resolve(answer.result);
      });
      this.#child.send(job);
    });
  }

  stop(): void {
    this.#child.disconnect();
  }
}
