import { Type } from 'typebox';
import { amountOut, Id, STRICT, text } from '../common.ts';
import { ENROLMENT_MEMBERS } from './enrolment.ts';
import { planDay } from './period.ts';

export const WithdrawalCreate = Type.Object(
  {
    ends_on: planDay('The last day: from the first of the enrolment to that of the period.', '2026-11-12'),
    reason: text(1, 200, { description: 'Why.', examples: ['Moves to another city'] }),
  },
  { ...STRICT, $id: 'WithdrawalCreate' },
);

const Billed = Type.Object(
  {
    invoice_id: Id,
    number: Type.String({ examples: ['F-2026-000123'] }),
    amount_total: amountOut('3000.00'),
    paid: amountOut('0.00', 'What had been paid on it.'),
  },
  { $id: 'WithdrawnInvoice' },
);

export const WithdrawalResponse = Type.Object(
  {
    ...ENROLMENT_MEMBERS,
    voided: Type.Array(Billed, { description: 'What was paid on them is credit of their family now.' }),
    kept: Type.Array(Billed, {
      description: 'Of no family, and with payments: reverse those and void it, if need be.',
    }),
  },
  { $id: 'Withdrawal' },
);
