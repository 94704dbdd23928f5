import type { Billing } from './billing.ts';

const COUNTED = /^database_retries_total\{reason="40P01"\} (\d+)$/m;

/** How often work was done again because it and another waited for each other. */
export async function deadlocksOf(billing: Billing): Promise<number> {
  return Number(COUNTED.exec((await billing.get('//metrics')).text)?.[1] ?? 0);
}
