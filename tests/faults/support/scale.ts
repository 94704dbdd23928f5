/** Whether the long forms were asked for: `npm run test:faults`, `npm run test:migrations`. Without it everything runs in seconds. */
export const IS_LONG = process.env['FAULTS'] === 'long';

export function scale(short: number, long: number): number {
  return IS_LONG ? long : short;
}

/** What was measured, as a table on standard output. */
export function report(title: string, figures: Readonly<Record<string, string | number>>): void {
  const width = Math.max(...Object.keys(figures).map((name) => name.length));
  const lines = Object.entries(figures).map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
  process.stdout.write(`\n${title}\n${lines.join('\n')}\n`);
}

/** The value below which `share` (0 to 1) of the values lie, rounded to tenths. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return Math.round(at * 10) / 10;
}
