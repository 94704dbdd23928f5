import { describe, expect, test } from 'vitest';
import { NO_LETTERHEAD, type School } from '../../../src/domain/accounts/school.ts';
import {
  assertActivatable,
  assertDeactivatable,
  assertPrefixesDiffer,
  assertPrefixFree,
  assertSchoolChangeable,
  freePrefixes,
} from '../../../src/domain/accounts/school-rules.ts';
import { refusalOf } from '../refusal.ts';

function aSchool(isActive: boolean): School {
  return {
    id: 3,
    name: 'Colegio',
    country: 'MX',
    currency: 'MXN',
    timezone: 'America/Mexico_City',
    invoicePrefix: 'F',
    receiptPrefix: 'R',
    creditNotePrefix: 'NC',
    refundPrefix: 'DV',
    isActive,
    ...NO_LETTERHEAD,
  };
}

describe('schools', () => {
  test('an active school can be changed, an inactive one cannot', () => {
    expect(() => assertSchoolChangeable(aSchool(true))).not.toThrow();
    expect(refusalOf(() => assertSchoolChangeable(aSchool(false)))).toEqual({
      code: 'school_inactive',
      message: 'School with id 3 is inactive and cannot be changed',
      facts: {},
    });
  });

  test('an inactive school can be activated, an active one cannot', () => {
    expect(() => assertActivatable(aSchool(false))).not.toThrow();
    expect(refusalOf(() => assertActivatable(aSchool(true)))).toEqual({
      code: 'school_already_active',
      message: 'School with id 3 is already active',
      facts: {},
    });
  });

  test('an active school without students can be deactivated', () => {
    expect(() => assertDeactivatable(aSchool(true), 0)).not.toThrow();
  });

  test('a school with students cannot be deactivated, an inactive one not again', () => {
    expect(refusalOf(() => assertDeactivatable(aSchool(true), 1))).toEqual({
      code: 'school_has_students',
      message: 'School with id 3 has students (1) and cannot be deactivated',
      facts: {},
    });
    expect(refusalOf(() => assertDeactivatable(aSchool(false), 1))).toEqual({
      code: 'school_already_inactive',
      message: 'School with id 3 is already inactive',
      facts: {},
    });
  });
});

describe('assertPrefixesDiffer', () => {
  test('lets invoices, receipts and credit notes be numbered in series of their own', () => {
    expect(() => assertPrefixesDiffer(aSchool(true))).not.toThrow();
  });

  test.each([
    [{ receiptPrefix: 'F' }, 'Invoices and receipts', 'F'],
    [{ creditNotePrefix: 'F' }, 'Invoices and credit notes', 'F'],
    [{ creditNotePrefix: 'R' }, 'Receipts and credit notes', 'R'],
    [{ refundPrefix: 'F' }, 'Invoices and refunds', 'F'],
    [{ refundPrefix: 'R' }, 'Receipts and refunds', 'R'],
    [{ refundPrefix: 'NC' }, 'Credit notes and refunds', 'NC'],
  ])('refuses one series for two (%j): their numbers would be the same', (prefixes, kinds, prefix) => {
    expect(refusalOf(() => assertPrefixesDiffer({ ...aSchool(true), ...prefixes }))).toEqual({
      code: 'school_prefixes_equal',
      message: `${kinds} cannot both be numbered with ${prefix}: their numbers would be the same`,
      facts: {},
    });
  });

  test.each([
    [{ invoicePrefix: 'F', receiptPrefix: 'R' }, 'NC', 'DV'],
    [{ invoicePrefix: 'NC', receiptPrefix: 'R' }, 'CN', 'DV'],
    [{ invoicePrefix: 'CN', receiptPrefix: 'NC' }, 'NCR', 'DV'],
    [{ invoicePrefix: 'NCR', receiptPrefix: 'CN' }, 'NC', 'DV'],
    [{ invoicePrefix: 'DV', receiptPrefix: 'R' }, 'NC', 'RF'],
    [{ invoicePrefix: 'RF', receiptPrefix: 'DV', creditNotePrefix: 'DEV' }, 'DEV', 'DVR'],
    [{ invoicePrefix: 'NC', receiptPrefix: 'CN', refundPrefix: 'NCR' }, 'NDC', 'NCR'],
  ])('beside %j, credit notes are numbered with %s, refunds with %s', (chosen, creditNotePrefix, refundPrefix) => {
    const none = { creditNotePrefix: null, refundPrefix: null };
    expect(freePrefixes({ ...none, ...chosen })).toEqual({ creditNotePrefix, refundPrefix });
  });
});

describe('assertPrefixFree', () => {
  test('lets a prefix be taken that no other document carries', () => {
    expect(() => assertPrefixFree(undefined)).not.toThrow();
  });

  test('refuses one that documents of another kind carry: an old and a new number would be the same', () => {
    expect(refusalOf(() => assertPrefixFree('F'))).toEqual({
      code: 'school_prefixes_equal',
      message: 'Two kinds of documents cannot be numbered with F: documents of another kind have such numbers already',
      facts: {},
    });
  });
});
