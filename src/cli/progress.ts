import cliProgress from 'cli-progress';
import type { Io } from './io.ts';

export type Progress = Readonly<{ table: string; done: number; total: number }>;

/** A bar where a person is watching, nothing where a program is. */
export async function withBar<T>(
  io: Io,
  doing: string,
  work: (onProgress: (progress: Progress) => void) => Promise<T>,
): Promise<T> {
  if (!io.isTerminal.say) return await work(() => undefined);
  const bar = new cliProgress.SingleBar({
    format: `${doing} {table} [{bar}] {percentage}% | {eta_formatted} left`,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
  });
  bar.start(1, 0, { table: '' });
  try {
    return await work(({ table, done, total }) => {
      // What PostgreSQL believes of its tables may be less than there is.
      bar.setTotal(Math.max(1, done, total));
      bar.update(done, { table });
    });
  } finally {
    bar.stop();
  }
}
