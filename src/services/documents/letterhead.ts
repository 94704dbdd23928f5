import type { School } from '../../domain/accounts/school.ts';
import type { Words } from './words/words.ts';

/** What people call the number a school pays its taxes under, by country. */
const TAX_ID_NAMES: Readonly<Record<string, string>> = {
  AR: 'CUIT',
  BO: 'NIT',
  BR: 'CNPJ',
  CL: 'RUT',
  CO: 'NIT',
  CR: 'Cédula jurídica',
  DO: 'RNC',
  EC: 'RUC',
  ES: 'NIF',
  GT: 'NIT',
  HN: 'RTN',
  MX: 'RFC',
  NI: 'RUC',
  PA: 'RUC',
  PE: 'RUC',
  PT: 'NIF',
  PY: 'RUC',
  SV: 'NIT',
  US: 'EIN',
  UY: 'RUT',
  VE: 'RIF',
};

/** Lines of an address that are printed as they are; what is beyond them shares the last. */
const ADDRESS_LINES_MAX = 4;

/** What stands below the school's name on each of its papers; what it does not say is left out. */
export function letterhead(school: School, country: string, words: Words): string[] {
  const { legalName, taxId, phone, email } = school;
  const address = linesOf(school.address);
  return [
    ...(legalName === null ? [] : [legalName]),
    ...(taxId === null ? [] : [`${TAX_ID_NAMES[school.country] ?? words.taxId} ${taxId}`]),
    ...address.slice(0, ADDRESS_LINES_MAX - 1),
    ...(address.length < ADDRESS_LINES_MAX ? [] : [address.slice(ADDRESS_LINES_MAX - 1).join(', ')]),
    country,
    ...(phone === null && email === null ? [] : [[phone, email].filter((one) => one !== null).join(' · ')]),
  ];
}

/** The lines of a text that say something. */
export function linesOf(text: string | null): string[] {
  return (text ?? '')
    .split(/[\n\r\u2028\u2029\v\f\u0085]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
