import type { RunKind } from '../../../domain/plans/billing-run.ts';
import type { NewConcept } from '../../../domain/plans/concept.ts';
import type { NewDiscount } from '../../../domain/plans/discount.ts';
import type { NewLateFeePolicy } from '../../../domain/plans/late-fee-policy.ts';
import type { SeedPayment } from './seed-data.ts';

/** Amounts are decimal text with two places, days are counted from the day the sample is made, as in seed-data.ts. */
export type YearPayment = SeedPayment &
  Readonly<{
    /** When and why it was taken back; absent: it was not. */
    bounced?: Readonly<{ inDays: number; reason: string }>;
    /** What of it was given back; absent: nothing. */
    refund?: Readonly<{ inDays: number; amount: string; reference: string; reason: string }>;
  }>;

export type YearStudent = Readonly<{
  externalId: string;
  firstName: string;
  lastName: string;
  grade: string;
  /** Codes of the discounts that its enrolment carries. */
  discounts: readonly string[];
}>;

export type YearFamily = Readonly<{
  externalId: string;
  name: string;
  /** The first is the principal. */
  guardians: readonly Readonly<{ fullName: string; email: string; phone: string; relationship: string }>[];
  students: readonly YearStudent[];
  payments: readonly YearPayment[];
}>;

export type YearData = Readonly<{
  school: Readonly<{ name: string; country: string; currency: string }>;
  startsInDays: number;
  endsInDays: number;
  concepts: readonly Omit<NewConcept, 'schoolId'>[];
  discounts: readonly Omit<NewDiscount, 'schoolId'>[];
  lateFeePolicy: Omit<NewLateFeePolicy, 'schoolId'>;
  plan: Readonly<{
    name: string;
    conceptCode: string;
    installments: number;
    firstDueInDays: number;
    issueDaysBefore: number;
    amount: string;
  }>;
  runs: readonly Readonly<{ kind: RunKind; inDays: number; invoices: number }>[];
  families: readonly YearFamily[];
}>;

const TUITION = 'COLEGIATURA';
const SCHOLARSHIP = 'BECA-25';
const SIBLING = 'HERMANOS';

/**
 * A school in the fourth month of its year: 4 families with 7 students, whom 4 runs billed and one charged for paying late.
 *
 * The installments are due a month from each other, whose days differ by 3 at most. Every day of money is further than that
 * from where it would come to something else, so that the sample has the same figures whenever it is made.
 */
export const YEAR: YearData = {
  school: { name: 'Colegio Nezahualcóyotl', country: 'MX', currency: 'MXN' },
  startsInDays: -110,
  endsInDays: 200,
  concepts: [
    { code: TUITION, name: 'Colegiatura', category: 'TUITION', taxRate: '0.00' },
    { code: 'RECARGO', name: 'Recargo por pago tardío', category: 'LATE_FEE', taxRate: '0.00' },
  ],
  discounts: [
    {
      code: SCHOLARSHIP,
      name: 'Beca académica del 25 %',
      kind: 'SCHOLARSHIP',
      value: { percent: '25.00', amount: null },
      categories: ['TUITION'],
      stacking: 'EXCLUSIVE',
      fromChild: null,
    },
    {
      code: SIBLING,
      name: 'Descuento por hermanos del 20 %',
      kind: 'SIBLING',
      value: { percent: '20.00', amount: null },
      categories: ['TUITION'],
      stacking: 'EXCLUSIVE',
      fromChild: 2,
    },
  ],
  lateFeePolicy: {
    name: 'Recargo escalonado',
    kind: 'ONCE',
    steps: [
      { fromDay: 1, percent: null, amount: '150.00' },
      { fromDay: 31, percent: null, amount: '300.00' },
    ],
    value: null,
    base: 'ORIGINAL',
    graceDays: 0,
    cap: null,
  },
  plan: {
    name: 'Primaria, 10 colegiaturas',
    conceptCode: TUITION,
    installments: 10,
    firstDueInDays: -100,
    issueDaysBefore: 10,
    amount: '6000.00',
  },
  /** Each bills the installment that is due next; the last charges what is late by now. `invoices`: how many it makes. */
  runs: [
    { kind: 'CHARGES', inDays: -108, invoices: 7 },
    { kind: 'CHARGES', inDays: -77, invoices: 7 },
    { kind: 'CHARGES', inDays: -46, invoices: 7 },
    { kind: 'CHARGES', inDays: -16, invoices: 7 },
    { kind: 'LATE_FEES', inDays: 0, invoices: 11 },
  ],
  families: [
    {
      externalId: 'FAM-0417',
      name: 'Familia Hernández Núñez',
      guardians: [
        {
          fullName: 'Laura Núñez Carmona',
          email: 'laura.nunez@familias.example',
          phone: '+52 55 5555 0141',
          relationship: 'madre',
        },
        {
          fullName: 'Ricardo Hernández Olvera',
          email: 'ricardo.hernandez@familias.example',
          phone: '+52 55 5555 0142',
          relationship: 'padre',
        },
      ],
      students: [
        aStudent('A-2041', 'Emiliano', 'Hernández Núñez', '6º', [SIBLING]),
        aStudent('A-2042', 'Regina', 'Hernández Núñez', '4º', [SIBLING]),
        // The scholarship stands alone, because it takes off more than what siblings get.
        aStudent('A-2043', 'Leonardo', 'Hernández Núñez', '1º', [SIBLING, SCHOLARSHIP]),
      ],
      payments: [
        // One receipt for three siblings: 6000.00, less 20 %, less 25 %.
        { amount: '15300.00', method: 'TRANSFER', reference: 'SPEI-8814402217', paidInDays: -102 },
        // Two months at once: the second half is credit, until the next run takes it.
        { amount: '30600.00', method: 'TRANSFER', reference: 'SPEI-8820971350', paidInDays: -75 },
      ],
    },
    {
      externalId: 'FAM-0422',
      name: 'Familia Ramírez Ortega',
      guardians: [
        {
          fullName: 'Patricia Ortega Luna',
          email: 'patricia.ortega@familias.example',
          phone: '+52 55 5555 0157',
          relationship: 'madre',
        },
      ],
      students: [
        aStudent('A-2051', 'Ximena', 'Ramírez Ortega', '5º', [SIBLING]),
        aStudent('A-2052', 'Santiago', 'Ramírez Ortega', '3º', [SIBLING]),
      ],
      payments: [
        {
          amount: '21600.00',
          method: 'CHECK',
          reference: 'CHEQUE-000731',
          paidInDays: -76,
          bounced: { inDays: -74, reason: 'Cheque devuelto por falta de fondos' },
        },
        { amount: '10800.00', method: 'CASH', reference: 'CAJA-1-00866', paidInDays: -64 },
        { amount: '10800.00', method: 'TRANSFER', reference: 'SPEI-8838116604', paidInDays: -30 },
      ],
    },
    {
      externalId: 'FAM-0430',
      name: 'Familia Sandoval Peña',
      guardians: [
        {
          fullName: 'Jorge Sandoval Rivas',
          email: 'jorge.sandoval@familias.example',
          phone: '+52 55 5555 0163',
          relationship: 'padre',
        },
        {
          fullName: 'Carmen Peña Solís',
          email: 'carmen.pena@familias.example',
          phone: '+52 55 5555 0164',
          relationship: 'abuela',
        },
      ],
      students: [aStudent('A-2060', 'Renata', 'Sandoval Peña', '2º', [])],
      // The whole year, before anything was billed: each run takes its part of the credit.
      payments: [{ amount: '60000.00', method: 'TRANSFER', reference: 'SPEI-8811250094', paidInDays: -112 }],
    },
    {
      externalId: 'FAM-0438',
      name: 'Familia Torres Aguilar',
      guardians: [
        {
          fullName: 'Mónica Aguilar Reyes',
          email: 'monica.aguilar@familias.example',
          phone: '+52 55 5555 0178',
          relationship: 'madre',
        },
      ],
      students: [aStudent('A-2071', 'Iker', 'Torres Aguilar', '6º', [])],
      payments: [
        {
          amount: '6500.00',
          method: 'CARD',
          reference: 'CARD-4915-220518',
          paidInDays: -103,
          refund: {
            inDays: -101,
            amount: '500.00',
            reference: 'DEV-4915-220518',
            reason: 'Se cobró de más en la terminal',
          },
        },
        { amount: '6000.00', method: 'CARD', reference: 'CARD-4915-231907', paidInDays: -75 },
        { amount: '6000.00', method: 'CARD', reference: 'CARD-4915-240733', paidInDays: -45 },
        { amount: '6000.00', method: 'CARD', reference: 'CARD-4915-251264', paidInDays: -15 },
      ],
    },
  ],
};

function aStudent(
  externalId: string,
  firstName: string,
  lastName: string,
  grade: string,
  discounts: readonly string[],
): YearStudent {
  return { externalId, firstName, lastName, grade, discounts };
}
