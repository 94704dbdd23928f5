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

/** Where a person's number has another name than a company's: a family may be either. */
const TAX_ID_NAMES_OF_ANYBODY: Readonly<Record<string, string | null>> = {
  AR: 'CUIT/CUIL',
  BR: 'CPF/CNPJ',
  CO: 'CC/NIT',
  CR: 'Cédula',
  DO: 'Cédula/RNC',
  US: null,
  VE: 'CI/RIF',
};

/** What the tax number of somebody is called who may be a person or a company. */
export function taxIdName(country: string, words: Words): string {
  const own = TAX_ID_NAMES_OF_ANYBODY[country];
  return (own === undefined ? TAX_ID_NAMES[country] : own) ?? words.taxId;
}

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
