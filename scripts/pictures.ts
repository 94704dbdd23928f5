/**
 * Draws every paper in every language as a picture for the documentation: `npx tsx scripts/pictures.ts`.
 *
 * Starts the product on a free port and on a new data directory below the temporary one, bills a little at a school for each
 * language, and asks for its papers. Needs `pdftoppm` and `pngquant` (Debian: poppler-utils, pngquant).
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SCHOOLS, type School } from './pictures/schools.ts';

const API_KEY = 'a-key-of-pictures-of-more-than-32-characters';
const START_LIMIT_MS = 60_000;
const DOTS_PER_INCH = 90;
const COLORS = 32;
const IMAGES = fileURLToPath(new URL('../docs/images/', import.meta.url));

const directory = mkdtempSync(join(tmpdir(), 'mattilda-pictures-'));
// Started by root, PostgreSQL runs under another account, which must be able to enter.
chmodSync(directory, 0o755);
const port = await freePort();
const api = `http://127.0.0.1:${port}/api/v1`;
const server = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts', 'serve'], {
  env: {
    ...process.env,
    DATABASE_URL: '',
    DATA_DIR: join(directory, 'data'),
    PORT: String(port),
    API_KEY,
    LOG_LEVEL: 'error',
  },
  stdio: ['ignore', 'inherit', 'inherit'],
});
try {
  await untilHealthy();
  mkdirSync(IMAGES, { recursive: true });
  for (const school of SCHOOLS) await drawPapersOf(school);
} finally {
  server.kill('SIGTERM');
  await once(server, 'exit');
  rmSync(directory, { recursive: true, force: true });
}

async function drawPapersOf(of: School): Promise<void> {
  const { language, letterhead, owing, cleared, fees, words } = of;
  const school = await create('/schools', letterhead);
  const student = async (fields: object): Promise<number> =>
    await create('/students', { school_id: school, ...fields });
  const [debtor, payer] = [await student(owing), await student(cleared)];
  const bill = async (student_id: number, [description, amount_total]: readonly [string, string], dueInDays: number) =>
    await create('/invoices', {
      student_id,
      amount_total,
      description,
      due_date: day(dueInDays),
      issued_on: day(dueInDays - 30),
    });
  const [enrolment, first, second, third, trip] = fees;
  await bill(debtor, second, -35);
  const invoice = await bill(debtor, first, -64);
  await bill(debtor, third, -4);
  const writtenOff = await bill(debtor, trip, -90);
  const credits = `/invoices/${invoice}/credit-notes`;
  const note = await create(credits, {
    amount: words.discount,
    reason: 'discount',
    description: words.sibling,
    dated_on: day(-60),
  });
  const pay = async (amount: string, reference: string, paid_at: string): Promise<number> =>
    await create(`/invoices/${invoice}/payments`, { amount, method: 'TRANSFER', reference, paid_at });
  const bounced = await pay(words.payments[0], 'REF 7750138846', day(-58));
  await create(`/payments/${bounced}/reversal`, { reason: words.bounced, reversed_on: day(-55) });
  const receipt = await pay(words.payments[1], 'REF 7750139921', day(-50));
  await create(`/invoices/${writtenOff}/credit-notes`, { amount: trip[1], reason: 'write_off' });
  const settled = await bill(payer, enrolment, -20);
  await create(`/invoices/${settled}/payments`, { amount: enrolment[1], method: 'CARD', paid_at: day(-21) });

  const lang = `lang=${language}`;
  await draw(`invoice-${language}`, `/invoices/${invoice}?format=pdf&${lang}`, 540);
  await draw(`invoice-written-off-${language}`, `/invoices/${writtenOff}?format=pdf&${lang}`, 480);
  await draw(`receipt-${language}`, `/payments/${receipt}?format=pdf&${lang}`, 440);
  await draw(`receipt-reversed-${language}`, `/payments/${bounced}?format=pdf&${lang}`, 520);
  await draw(`credit-note-${language}`, `/credit-notes/${note}?format=pdf&${lang}`, 340);
  await draw(`statement-${language}`, `/students/${debtor}/statement?format=pdf&${lang}`, 500);
  await draw(`ledger-${language}`, `/students/${debtor}/ledger?format=pdf&${lang}`, 590);
  await draw(`clearance-${language}`, `/students/${payer}/clearance?${lang}`, 430);
  await draw(`letter-${language}`, `/schools/${school}/debtors?format=pdf&${lang}`, 500);
  await drawPapersOfFamily(school, of);
}

/** Siblings, of whom one payment pays what is due, and is more. */
async function drawPapersOfFamily(
  school_id: number,
  { language, family, siblings, familyPays, fees }: School,
): Promise<void> {
  const familyId = await create('/families', { school_id, ...family });
  const [, first, second, , trip] = fees;
  const bill = async (student_id: number, [description, amount_total]: readonly [string, string], dueInDays: number) =>
    await create('/invoices', { student_id, amount_total, description, due_date: day(dueInDays), issued_on: day(-40) });
  const [elder, younger] = siblings;
  const students = [];
  for (const sibling of [elder, younger]) {
    students.push(await create('/students', { school_id, ...sibling, family_id: familyId }));
  }
  for (const student of students) await bill(student, first, -20);
  const money = { method: 'TRANSFER', reference: 'REF 7750140033', paid_at: day(-18) };
  const payment = await create(`/families/${familyId}/payments`, { amount: familyPays, ...money });
  const lang = `format=pdf&lang=${language}`;
  await draw(`receipt-family-${language}`, `/payments/${payment}?${lang}`, 440);
  // Paid from what was left, as far as that goes.
  for (const student of students.slice(0, 1)) await bill(student, trip, -2);
  for (const student of students) await bill(student, second, 10);
  await draw(`statement-family-${language}`, `/families/${familyId}/statement?${lang}`, 500);
}

/** @param height of the page that is shown, from above, in points */
async function draw(name: string, path: string, height: number): Promise<void> {
  const answer = await fetch(`${api}${path}`);
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  const file = join(directory, `${name}.pdf`);
  writeFileSync(file, new Uint8Array(await answer.arrayBuffer()));
  const rows = String(Math.round((height * DOTS_PER_INCH) / 72));
  const crop = ['-x', '0', '-y', '0', '-W', '10000', '-H', rows];
  const out = join(IMAGES, name);
  execFileSync('pdftoppm', [
    '-r',
    String(DOTS_PER_INCH),
    ...crop,
    '-f',
    '1',
    '-l',
    '1',
    '-singlefile',
    '-png',
    file,
    out,
  ]);
  execFileSync('pngquant', ['--force', '--ext', '.png', '--strip', String(COLORS), `${out}.png`]);
  console.log(`docs/images/${name}.png`);
}

/** @returns its id */
async function create(path: string, body: object): Promise<number> {
  const headers = { 'x-api-key': API_KEY, 'content-type': 'application/json' };
  const answer = await fetch(`${api}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  const made: unknown = await answer.json();
  const id: unknown = typeof made === 'object' && made !== null && 'id' in made ? made.id : undefined;
  if (answer.status !== 201 || typeof id !== 'number')
    throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(made)}`);
  return id;
}

/** YYYY-MM-DD, so many days from today. */
function day(days: number): string {
  return new Date(Date.now() + days * 24 * 60 * 60 * 1_000).toISOString().slice(0, 10);
}

async function untilHealthy(): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline) {
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
    if (answer?.status === 200) return;
    await sleep(100);
  }
  throw new Error('the server did not start');
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
