import type { BilledFamily } from '../../domain/accounts/family.ts';
import type { PrintedDocument } from '../../domain/shared/ports.ts';
import type { RenderContext } from './context.ts';
import { linesOf, taxIdName } from './letterhead.ts';
import type { Words } from './words/words.ts';

/** What stands below a family's name where the paper is about it; what it does not say is left out. */
export function familyDetails(
  { id, taxId, taxName, taxAddress }: BilledFamily,
  country: string,
  words: Words,
): string[] {
  return [
    ...(taxName === null ? [] : [taxName]),
    ...(taxId === null ? [] : [`${taxIdName(country, words)} ${taxId}`]),
    ...addressOf(taxAddress),
    `${words.familyNumber} ${id}`,
  ];
}

/** The same among the facts of a paper that is about a student. @param label what it has to do with the paper */
export function payerFacts(
  label: string,
  { name, taxId, taxName, taxAddress }: BilledFamily,
  { school, words }: RenderContext,
): PrintedDocument['facts'] {
  return [
    [label, name],
    ...(taxName === null ? [] : [[words.taxName, taxName] as const]),
    ...(taxId === null ? [] : [[taxIdName(school.country, words), taxId] as const]),
    ...addressOf(taxAddress).map((address) => [words.taxAddress, address] as const),
  ];
}

/** In one line, which wraps. */
function addressOf(address: string | null): string[] {
  const lines = linesOf(address);
  return lines.length === 0 ? [] : [lines.join(', ')];
}
