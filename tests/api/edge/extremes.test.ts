import { beforeAll, describe, expect, test } from 'vitest';
import { SCOPES } from '../../../src/domain/access/scopes.ts';
import { type Json, startBilling } from '../../support/billing.ts';
import { userBody } from '../../support/factories.ts';

const billing = await startBilling();

/** The ends of what is accepted: zones by their offset, today and before there was standard time. */
const ZONES = ['UTC', 'Pacific/Kiritimati', 'Asia/Manila', 'America/Metlakatla'];
/** First and last names, and with them the other texts. */
const TEXTS = [
  ['مرحبا \u202eשלום\u202c 123', '汉字\u{10ffff}\ufffe\uffff\ufdd0'],
  ['👨‍👩‍👧‍👦🏫\ufe0f', `Z${'\u0300'.repeat(90)}`],
  ['\u0001\u0007\t\r\n\u001f\u007f\u0085\u2028\u2029ñ', '=1+1,"quoted";\\'],
  ['\u2d40\u034f\u07ca\u0e81𝔹', 'x'.repeat(100)],
] as const;
const AMOUNT_MAX = '9999999999.99';
const FIRST_INSTANT = '1990-01-02T00:00:00Z';
const DUE_DAYS = ['1990-01-01', '2199-12-31'] as const;
const DATES = ['0001-01-01', '9999-12-31'] as const;
const LANGUAGES = ['es', 'en', 'pt'];

type Parameter = Readonly<{ name: string; in: string; schema: { format?: string } }>;
type Files = Readonly<Record<string, string>>;
type Operations = Readonly<{ get?: Readonly<{ parameters?: readonly Parameter[]; 'x-files'?: Files }> }>;

const ids = {
  schools: [] as number[],
  students: [] as number[],
  families: [] as number[],
  guardians: [] as number[],
  invoices: [] as number[],
  payments: [] as number[],
  'credit-notes': [] as number[],
  closings: [] as number[],
  periods: [] as number[],
  concepts: [] as number[],
  plans: [] as number[],
  discounts: [] as number[],
  enrolments: [] as number[],
  'late-fee-policies': [] as number[],
  'billing-runs': [] as number[],
  users: [] as number[],
  'api-keys': [] as number[],
};
/** Students who owe nothing. */
const cleared: number[] = [];
let paths: Readonly<Record<string, Operations>> = {};

beforeAll(async () => {
  for (const [index, [first, last]] of TEXTS.entries()) await fill(ZONES[index] ?? 'UTC', first, last);
  paths = (await billing.get<{ paths: Readonly<Record<string, Operations>> }>('//openapi.json')).body.paths;
});

/** A school with everything that can be in its books, each at an end of what is accepted. */
async function fill(timezone: string, first: string, last: string): Promise<void> {
  const text = [...`${first}${last}`].slice(0, 100).join('');
  const schoolId = await billing.aSchool({ name: `${timezone} ${text}`, timezone });
  const family = { name: text, external_id: text, tax_name: text, tax_address: text };
  const familyId = await billing.aFamily({ school_id: schoolId, ...family });
  const guardian = { full_name: text, phone: text.slice(0, 25), relationship: text.slice(0, 25) };
  ids.families.push(familyId);
  ids.guardians.push(await done(billing.post(`/families/${familyId}/guardians`, guardian), 201));
  const names = { first_name: first, last_name: last, external_id: text, family_id: familyId };
  const studentId = await billing.aStudent({ school_id: schoolId, ...names });
  const invoice = { student_id: studentId, amount_total: AMOUNT_MAX, description: text.repeat(5).slice(0, 500) };
  const [early, late, credited, voided, open] = [
    await billing.anInvoice({ ...invoice, due_date: DUE_DAYS[0] }),
    await billing.anInvoice({ ...invoice, due_date: DUE_DAYS[1] }),
    await billing.anInvoice({ ...invoice, due_date: DUE_DAYS[0] }),
    await billing.anInvoice({ ...invoice, due_date: DUE_DAYS[1] }),
    await billing.anInvoice({ ...invoice, amount_total: '0.01', description: null }),
  ];
  const payment = { paid_at: FIRST_INSTANT, reference: text, method: 'OTHER' };
  const paid = await billing.aPayment(early, AMOUNT_MAX, payment);
  const reversed = await billing.aPayment(late, AMOUNT_MAX, payment);
  await done(billing.post(`/payments/${reversed}/reversal`, { reason: text }), 201);
  const credit = { amount: '9999999999.98', reason: 'scholarship' };
  ids['credit-notes'].push(await done(billing.post(`/invoices/${credited}/credit-notes`, credit), 201));
  await done(billing.delete(`/invoices/${voided}?reason=${encodeURIComponent(text)}`), 204);
  // The books of a school that moved: what was recorded by the old calendar is shown by the new one.
  if (timezone === 'UTC') await done(billing.patch(`/schools/${schoolId}`, { timezone: 'Etc/GMT+12' }), 200);
  ids.closings.push(await done(billing.post(`/schools/${schoolId}/closings`, { through: '1990-01-01' }), 201));
  await fillCatalogue(schoolId, studentId, text);
  const name = `${first} ${last}`;
  ids.users.push(await done(billing.post('/users', userBody({ name: name.slice(0, 200) })), 201));
  ids.schools.push(schoolId);
  ids.students.push(studentId);
  cleared.push(await billing.aStudent({ school_id: schoolId, first_name: first, last_name: last }));
  ids.invoices.push(early, late, credited, voided, open);
  ids.payments.push(paid, reversed);
}

/** What the school bills, over all days there are. */
async function fillCatalogue(schoolId: number, studentId: number, text: string): Promise<void> {
  const named = { school_id: schoolId, name: text };
  const coded = { ...named, code: [...text].slice(0, 50).join('') };
  const [starts_on, ends_on] = DUE_DAYS;
  const period_id = await done(billing.post('/periods', { ...named, starts_on, ends_on }), 201);
  const concept = { ...coded, category: 'LATE_FEE', tax_rate: '100' };
  const concept_id = await done(billing.post('/concepts', concept), 201);
  const policy = { ...named, kind: 'ONCE', steps: [{ from_day: 3650, amount: AMOUNT_MAX }], cap_percent: 0.01 };
  const late_fee_policy_id = await done(billing.post('/late-fee-policies', policy), 201);
  const discount = { ...coded, kind: 'SIBLING', from_child: 20, percent: '100.00', categories: ['TUITION', 'OTHER'] };
  const discount_id = await done(billing.post('/discounts', discount), 201);
  const days = { issue_on: starts_on, due_on: ends_on, covers_from: starts_on, covers_to: ends_on };
  const items = [{ label: text, ...days, amount: AMOUNT_MAX }];
  const early_discounts = [{ days_before_due: 365, amount: '0.01' }];
  const plan = { ...named, period_id, concept_id, items, early_discounts, late_fee_policy_id };
  const plan_ids = [await done(billing.post('/plans', plan), 201)];
  const granted = [{ discount_id, valid_from: starts_on, valid_to: ends_on, reason: text }];
  const enrolment = { student_id: studentId, period_id, plan_ids, discounts: granted, starts_on, ends_on };
  ids.enrolments.push(await done(billing.post('/enrolments', enrolment), 201));
  ids.periods.push(period_id);
  ids.concepts.push(concept_id);
  ids.plans.push(...plan_ids);
  ids.discounts.push(discount_id);
  ids['late-fee-policies'].push(late_fee_policy_id);
  ids['billing-runs'].push(await done(billing.post('/billing-runs', { school_id: schoolId, kind: 'CHARGES' }), 202));
  const key = { name: text, school_ids: [schoolId], scopes: SCOPES, expires_at: '9999-12-31T23:59:59.999Z' };
  ids['api-keys'].push(await done(billing.post('/api-keys', key), 201));
}

/** The id of what was made, if anything was. */
async function done(answer: ReturnType<typeof billing.post>, status: number): Promise<number> {
  const { status: answered, text, body } = await answer;
  expect([answered, text]).toEqual([status, expect.anything()]);
  return Number(body['id']);
}

/**
 * Every GET of the API at these ids, in every form, over the widest and the narrowest periods. Papers of several take turns
 * with the languages: each route is read in all of them, and so is each school's.
 */
function addresses(): string[] {
  return Object.entries(paths).flatMap(([path, { get }]) => {
    // A session is read with its cookie.
    if (get === undefined || !path.startsWith('/api/v1/') || path === '/api/v1/session') return [];
    const parameters = (get.parameters ?? []).filter((one) => one.in === 'query');
    const dates = parameters.filter(({ schema }) => schema.format?.startsWith('date') === true);
    const places = idsOf(path).map((id) => path.replace('/api/v1', '').replace('{id}', String(id)));
    const files = get['x-files'];
    const formats = files === undefined ? [] : ['json', ...Object.keys(files)];
    return places.flatMap((place, turn) => {
      const languages = LANGUAGES.map((_, later) => LANGUAGES[(turn + later) % LANGUAGES.length] ?? '');
      const ofEach = places.length < LANGUAGES.length ? languages.length : 1;
      return [...queriesOf(formats, dates, languages, ofEach)].map((query) => `${place}?${query}`);
    });
  });
}

function idsOf(path: string): readonly (number | '')[] {
  if (path.endsWith('/clearance')) return cleared;
  const kind = Object.entries(ids).find(([name]) => path.startsWith(`/api/v1/${name}/{id}`));
  return kind?.[1] ?? [''];
}

/** @param ofEach in so many of the languages each paper is read: the next has its turn with the next period */
function* queriesOf(
  formats: readonly string[],
  dates: readonly Parameter[],
  languages: readonly string[],
  ofEach: number,
): Generator<string> {
  let turn = 0;
  const periods = new Set([
    '',
    widest(dates),
    ...DATES.map((day) => dates.map((one) => `${one.name}=${formOf(one, day)}`).join('&')),
  ]);
  for (const period of periods) {
    yield period;
    for (const format of formats) {
      // Two periods are enough for what is drawn or packed.
      if (['pdf', 'xlsx'].includes(format) && period !== '' && period !== widest(dates)) continue;
      if (format !== 'pdf') yield `${period}&format=${format}`;
      else
        for (let drawn = 0; drawn < ofEach; drawn++) {
          yield `${period}&format=pdf&lang=${languages[turn++ % languages.length]}`;
        }
    }
  }
}

function widest(dates: readonly Parameter[]): string {
  const end = ({ name }: Parameter): string => DATES[name.endsWith('from') || name.endsWith('since') ? 0 : 1];
  return dates.map((one) => `${one.name}=${formOf(one, end(one))}`).join('&');
}

function formOf({ schema }: Parameter, day: string): string {
  return schema.format === 'date-time' ? `${day}T12:00:00Z` : day;
}

function routesWithPapers(): string[] {
  const routes = Object.entries(paths).filter(([, { get }]) => get?.['x-files']?.['pdf'] !== undefined);
  return routes.map(([path]) => path.replace('/api/v1', '')).sort();
}

function routeOf(address: string): string {
  return address.replace(/\?.*$/, '').replace(/\/\d+/, '/{id}');
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  json: 'application/json',
  csv: 'text/csv',
  pdf: 'application/pdf',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
};
/** What a file that was not cut off looks like. */
const WHOLE: Readonly<Record<string, RegExp>> = {
  csv: /\r\n$/,
  pdf: /^%PDF-[\s\S]*%%EOF\s*$/,
  xlsx: /^PK[\s\S]*\[Content_Types\]\.xml[\s\S]{0,60}$/,
};

describe('What is at the end of what is accepted', () => {
  test('200: every read, in every form, language and period', { timeout: 120_000 }, async () => {
    const wrong: unknown[] = [];
    const all = addresses();
    for (const address of all) {
      const { status, headers, text } = await billing.get(address.replaceAll('?&', '?'));
      const type = String(headers['content-type']);
      const format = /format=(\w+)/.exec(address)?.[1] ?? (address.includes('/clearance?') ? 'pdf' : 'json');
      const isWhole = type.startsWith(MEDIA_TYPES[format] ?? '?') && (WHOLE[format] ?? /^/).test(text);
      if (status !== 200 || !isWhole) wrong.push({ address, status, type, text: text.slice(0, 300) });
    }
    expect(wrong).toEqual([]);
    for (const lang of LANGUAGES) {
      const read = all.filter((address) => address.includes(`&lang=${lang}`)).map(routeOf);
      expect([...new Set(read)].sort(), lang).toEqual(routesWithPapers());
    }
    // All forms of all routes: a generator that makes nothing would find nothing.
    expect(all.length).toBeGreaterThan(300);
  });

  test('200: no day and no instant outside the years 1 to 9999 is shown', async () => {
    for (const schoolId of ids.schools) {
      const { text } = await billing.get(`/schools/${schoolId}/ledger`);
      expect(text).not.toMatch(/ BC"|"[+-]\d{6}-|"\d{5,}-\d/);
      expect(text).toContain('"date":"1990-01-0');
    }
  });

  test('200: sums beyond the largest amount are exact', async () => {
    for (const schoolId of ids.schools) {
      const { body } = await billing.get<{ totals: Json }>(`/schools/${schoolId}/statement`);
      expect(body.totals).toEqual({
        credit: '0.00',
        balance: '10000000000.01',
        invoiced: '29999999999.98',
        credited: '9999999999.98',
        paid: '9999999999.99',
        pending: '10000000000.01',
        overdue: '0.01',
      });
    }
  });

  test('200: what was typed comes back as it was, in JSON and in the cells of a file', async () => {
    for (const [index, studentId] of ids.students.entries()) {
      const { body } = await billing.get(`/students/${studentId}`);
      expect([body['first_name'], body['last_name']]).toEqual(TEXTS[index]);
      const { text } = await billing.get('/students?format=csv');
      for (const typed of TEXTS[index] ?? []) expect(text).toContain(typed.replaceAll('"', '""'));
    }
  });
});
