import { createHash } from 'node:crypto';
import type { Actor } from '../../domain/access/actor.ts';
import type { Books } from '../../domain/billing/books.ts';
import { BEGINNING, type Place, type RunItem, RunSum } from '../../domain/plans/billing-run.ts';
import { formatMoney } from '../../domain/shared/money.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';
import { creditSpentBefore } from './credit-preview.ts';
import { type RunOrPreview, readPortion } from './run-work.ts';

/** Rows that are read and priced at once. */
const PORTION_ROWS = 1_000;

export type PreviewPage = Readonly<{ limit: number; after: Place }>;

/** What would be invoiced for a concept: amounts in minor units. `conceptId` is null for late fees of a school without one. */
export type ConceptSum = { conceptId: number | null; invoices: number; total: bigint };

/** What a run would do. `items` is one page of its rows, those aside that were billed before. */
export type Preview = Readonly<{
  sum: RunSum;
  byConcept: readonly ConceptSum[];
  items: readonly RunItem[];
  next: Place | null;
  hash: string;
}>;

/** Works a run out without writing anything. For statements that agree with each other, in a snapshot. */
export async function workOut(
  actor: Actor,
  repositories: Repositories,
  { run, books }: Readonly<{ run: RunOrPreview; books: Books }>,
  page: PreviewPage,
): Promise<Preview> {
  const spent = await creditSpentBefore(actor, repositories, run, books);
  const sum = new RunSum();
  const concepts = new Map<number | null, ConceptSum>();
  const hash = createHash('sha256').update(JSON.stringify([run.kind, run.schoolId, run.periodId, run.asOf]));
  const shown: RunItem[] = [];
  let after: Place | null = BEGINNING;
  while (after !== null) {
    const portion = await readPortion(actor, repositories, run, after, PORTION_ROWS, spent);
    sum.add(portion.items);
    for (const item of portion.items) {
      if (item.outcome === 'EXISTS') continue;
      hash.update(textOf(item));
      addTo(concepts, item);
      if (shown.length <= page.limit && isBeyond(item.place, page.after)) shown.push(item);
    }
    after = portion.after;
  }
  const items = shown.slice(0, page.limit);
  return {
    sum,
    byConcept: [...concepts.values()],
    items,
    next: shown.length > page.limit ? (items.at(-1)?.place ?? null) : null,
    hash: hash.digest('hex'),
  };
}

/** All that an invoice is made of: whatever changes in it makes the preview another. */
function textOf({
  studentId,
  planItemId,
  originInvoiceId,
  conceptId,
  description,
  dueOn,
  outcome,
  lines,
  total,
  earlyDiscounts,
}: RunItem): string {
  return JSON.stringify(
    [studentId, planItemId, originInvoiceId, conceptId, description, dueOn, outcome, lines, total, earlyDiscounts],
    (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
  );
}

function addTo(concepts: Map<number | null, ConceptSum>, { conceptId, outcome, total }: RunItem): void {
  if (outcome !== 'CREATED' || total < 0n) return;
  const sum = concepts.get(conceptId) ?? { conceptId, invoices: 0, total: 0n };
  sum.invoices += 1;
  sum.total += total;
  concepts.set(conceptId, sum);
}

function isBeyond(place: Place, { id, itemId }: Place): boolean {
  return place.id > id || (place.id === id && place.itemId > itemId);
}

/** A preview as the API shows it. */
export function previewJson(
  run: RunOrPreview,
  { sum, byConcept, items, next, hash }: Preview,
  names: ReadonlyMap<number, Readonly<{ code: string; name: string }>>,
  warnings: readonly object[],
): object {
  const text = (minor: bigint): string => formatMoney({ minor, currency: run.currency });
  const { lateFees, ...totals } = sum.totals;
  return {
    school_id: run.schoolId,
    kind: run.kind,
    period_id: run.periodId,
    as_of: run.asOf,
    currency: run.currency,
    counts: sum.counts,
    totals: {
      charges: text(totals.charges),
      scholarships: text(totals.scholarships),
      discounts: text(totals.discounts),
      taxes: text(totals.taxes),
      late_fees: text(lateFees),
      corrections: text(totals.corrections),
      total: text(totals.total),
    },
    by_concept: byConcept.map(({ conceptId, invoices, total }) => ({
      concept_id: conceptId,
      code: (conceptId === null ? undefined : names.get(conceptId)?.code) ?? null,
      name: (conceptId === null ? undefined : names.get(conceptId)?.name) ?? null,
      invoices,
      total: text(total),
    })),
    warnings,
    items: items.map((item) => ({
      student_id: item.studentId,
      plan_item_id: item.planItemId,
      origin_invoice_id: item.originInvoiceId,
      concept_id: item.conceptId,
      description: item.description,
      due_date: item.dueOn,
      amount: text(item.total),
      outcome: item.outcome,
      error_code: item.errorCode,
      lines: item.lines.map(({ kind, description, base, rate, amount }) => ({
        kind,
        description,
        base: text(base),
        rate,
        amount: text(amount),
      })),
    })),
    next_cursor: next === null ? null : `${next.id}-${next.itemId}`,
    preview_hash: hash,
  };
}
