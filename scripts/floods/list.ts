import pg from 'pg';
import { type Flood, keepAsking, request } from './flood.ts';
import { SOCKET_FLOODS } from './sockets.ts';

const V1 = '/api/v1';

/** Takes the next of some, round and round. */
function inTurn<T>(all: readonly T[]): () => T {
  let at = -1;
  return () => {
    at = (at + 1) % all.length;
    const one = all[at];
    if (one === undefined) throw new Error('there is nothing to choose from');
    return one;
  };
}

/** What many clients, or one, ask for without a pause. */
function asking(title: string, sockets: number, path: string, outstanding = 1): Flood {
  return {
    title,
    start: async (target) => keepAsking(target, { sockets, outstanding, next: () => request('GET', path) }),
  };
}

export const FLOODS: readonly Flood[] = [
  ...SOCKET_FLOODS,
  asking('one socket with 1,500 GET /health/ready outstanding', 1, '/health/ready', 1_500),
  asking('500 sockets on GET /health/ready', 500, '/health/ready'),
  asking('500 sockets on GET /health', 500, '/health'),
  asking('100 sockets on GET /openapi.json', 100, '/openapi.json'),
  asking('500 sockets on GET /problems/overloaded', 500, '/problems/overloaded'),
  asking('1,000 sockets on a list of 100 invoices', 1_000, `${V1}/invoices`),
  {
    title: '1,800 sockets on GET /payments/ID',
    start: async (target) => {
      const path = `${V1}/payments/${target.ids.payment}`;
      return keepAsking(target, { sockets: 1_800, next: () => request('GET', path) });
    },
  },
  {
    title: '500 sockets that pay with a wrong key',
    start: async (target) => {
      const body = JSON.stringify({ invoice_id: 1, amount: '0.01' });
      const sent = request('POST', `${V1}/payments`, { apiKey: 'wrong', body });
      return keepAsking(target, { sockets: 500, next: () => sent });
    },
  },
  {
    title: '4 clients whose amount is a number of 60,000 digits',
    start: async (target) => {
      const body = `{"invoice_id":1,"amount":1.${'0'.repeat(60_000)}1}`;
      const sent = request('POST', `${V1}/payments`, { apiKey: target.apiKey, body });
      return keepAsking(target, { sockets: 4, next: () => sent });
    },
  },
  {
    title: '20 clients that pay 0.50 on invoices in CLP',
    start: async (target) => {
      const invoiceId = inTurn(target.ids.wholeInvoices);
      const next = (): Buffer => {
        const body = JSON.stringify({ invoice_id: invoiceId(), amount: '0.50' });
        return request('POST', `${V1}/payments`, { apiKey: target.apiKey, body });
      };
      return keepAsking(target, { sockets: 20, next });
    },
  },
  {
    title: '50 clients that pay at a school whose counter somebody holds',
    start: async (target) => {
      const holder = new pg.Client({ connectionString: target.ownerUrl });
      await holder.connect();
      await holder.query('begin');
      await holder.query('select from document_counters where school_id = $1 for update', [target.ids.school]);
      const invoiceId = inTurn(target.ids.invoices);
      const next = (): Buffer => {
        const body = JSON.stringify({ invoice_id: invoiceId(), amount: '0.01' });
        return request('POST', `${V1}/payments`, { apiKey: target.apiKey, body });
      };
      const stop = keepAsking(target, { sockets: 50, next });
      return async () => {
        await stop();
        await holder.query('rollback');
        await holder.end();
      };
    },
  },
  {
    title: '34 requests for a PDF of 4,800 lines',
    start: async (target) => {
      const path = `${V1}/students/${target.ids.busyStudent}/statement?format=pdf`;
      return keepAsking(target, { sockets: 34, next: () => request('GET', path) });
    },
    // Of another caller: the one with the key.
    beside: ({ ids }) => `/students/${ids.student}/statement?format=pdf`,
  },
];
