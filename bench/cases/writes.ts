import { rootActor } from '../../src/domain/access/actor.ts';
import { InvoiceService } from '../../src/services/billing/invoice-service.ts';
import { PaymentService } from '../../src/services/billing/payment-service.ts';
import { UNIQUE } from '../server.ts';
import { at, type Case, postText, spread, VARIETY } from './case.ts';
import type { Ids } from './ids.ts';

const DUE = '2027-01-31';

type Dependencies = ConstructorParameters<typeof InvoiceService>[0];

export function writeCases(ids: Ids, dependencies: Dependencies): Case[] {
  const payments = new PaymentService(dependencies);
  const invoices = new InvoiceService(dependencies);
  const students = spread(VARIETY, ids.students);
  const root = rootActor('benchmark');
  return [
    {
      name: 'payment',
      isWrite: true,
      title: 'POST payment',
      reference: { 1: 145, 16: 162 },
      limitThere: { of: 'sqlRoute', 1: 1_863, 16: 4_771 },
      goal: { 1: 5, 16: 18 },
      requests: ids.open.map((id) => postText('/payments', { invoice_id: id, amount: '0.01' })),
      replay: async (i) =>
        await payments.record(
          root,
          { invoiceId: at(ids.open, i), amount: '0.01', method: null, reference: null, paidAt: null },
          null,
        ),
    },
    {
      name: 'payment-keyed',
      isWrite: true,
      title: 'POST payment with Idempotency-Key',
      requests: ids.open.map((id) => postText('/payments', { invoice_id: id, amount: '0.01' }, UNIQUE)),
      hasLimits: false,
    },
    {
      name: 'family-payment',
      isWrite: true,
      title: 'POST payment of a family over ten invoices',
      requests: ids.families.map(({ id, open }) => {
        const allocations = open.map((invoice) => ({ invoice_id: invoice, amount: '0.01' }));
        return postText(`/families/${id}/payments`, { amount: '0.10', allocations });
      }),
      hasLimits: false,
    },
    {
      name: 'invoice-create',
      isWrite: true,
      title: 'POST invoice',
      reference: { 1: 210, 16: 244 },
      limitThere: { of: 'sql', 1: 3_938, 16: 14_686 },
      goal: { 1: 4, 16: 13 },
      requests: students.map((id) => postText('/invoices', { student_id: id, amount_total: '1500.00', due_date: DUE })),
      replay: async (i) =>
        await invoices.create(
          root,
          {
            studentId: at(students, i),
            amountTotal: '1500.00',
            currency: null,
            dueDate: DUE,
            description: null,
            issuedOn: null,
            conceptId: null,
          },
          null,
        ),
    },
  ];
}
