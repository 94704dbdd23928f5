import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** Processor time of one process so far, in milliseconds. */
export function cpuMs(pid: number): number {
  const stat = statOf(pid);
  return stat === undefined ? 0 : toMs(stat.own);
}

/**
 * Processor time of a process and of all it has started, the ended ones included: of all of PostgreSQL. Of one that ends
 * while this looks, all that it ever took would be missing: then it looks again.
 */
export function familyCpuMs(pid: number): number {
  for (;;) {
    const parent = statOf(pid);
    if (parent === undefined) return 0;
    let ticks = parent.own + parent.reaped;
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const stat = statOf(Number(name));
      if (stat?.parent === pid) ticks += stat.own;
    }
    if (statOf(pid)?.reaped === parent.reaped) return toMs(ticks);
  }
}

/** Memory of one process that is in RAM now, in megabytes. */
export function rssMb(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readOrEmpty(`/proc/${pid}/status`))?.[1];
  return Number(kilobytes ?? 0) / 1024;
}

function statOf(pid: number): { parent: number; own: number; reaped: number } | undefined {
  // The name of the program stands in brackets and may hold anything.
  const fields = readOrEmpty(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ');
  if (fields === undefined || fields.length < 15) return undefined;
  const at = (index: number): number => Number(fields[index]);
  return { parent: at(1), own: at(11) + at(12), reaped: at(13) + at(14) };
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function toMs(ticks: number): number {
  return (ticks * 1000) / TICKS_PER_SECOND;
}
