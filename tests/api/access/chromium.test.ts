import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { aPerson, PASSWORD } from '../../support/browser.ts';

/*
 * What a real browser sends of a page's site, its cookies included, is what the rules about pages of other sites stand on:
 * other tests write those headers themselves. Where there is no Chromium, this is left out; `CHROMIUM` names one.
 */

const NAMES = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];

function findChromium(): string | undefined {
  const named = process.env['CHROMIUM'];
  const places = (process.env['PATH'] ?? '').split(delimiter);
  return [
    ...(named === undefined ? [] : [named]),
    ...NAMES.flatMap((name) => places.map((place) => join(place, name))),
  ].find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const chromium = findChromium();
const billing = await startBilling();
const WAIT_MAX_MS = 60_000;

/** A request as it came from the browser, and what it was answered. */
type Seen = Readonly<{ request: string; from: string | undefined; site: unknown; hasCookie: boolean; answer: string }>;

const servers: http.Server[] = [];
let browser: ChildProcess | undefined;
const profile = mkdtempSync(join(tmpdir(), 'chromium-'));

afterAll(async () => {
  if (browser !== undefined && browser.exitCode === null) {
    const gone = new Promise((resolve) => browser?.once('exit', resolve));
    browser.kill('SIGKILL');
    await gone;
  }
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
});

async function listen(handle: http.RequestListener): Promise<number> {
  const server = http.createServer(handle);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function sendHtml(response: http.ServerResponse, body: string): void {
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.end(`<!doctype html><title>x</title><body><script type="module">${body}</script>`);
}

async function bodyOf(request: http.IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

/** All that a page can send without being asked about first, and one thing that it cannot. */
function attack(target: string, next: string): string {
  return `
    const post = (path, body) => fetch('${target}' + path, {
      method: 'POST', mode: 'no-cors', credentials: 'include', headers: { 'content-type': 'text/plain' }, body,
    }).catch(() => undefined);
    await post('/api/v1/users', '{}');
    await post('/api/v1/session', '{}');
    await fetch('${target}/api/v1/session', { method: 'DELETE', credentials: 'include' }).catch(() => undefined);
    const frame = Object.assign(document.createElement('iframe'), { name: 'frame' });
    const form = Object.assign(document.createElement('form'), {
      method: 'POST', action: '${target}/api/v1/users', enctype: 'text/plain', target: 'frame',
    });
    form.append(Object.assign(document.createElement('input'), { name: '{"name":"x', value: '"}' }));
    document.body.append(frame, form);
    const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
    form.submit();
    await Promise.race([loaded, new Promise((resolve) => setTimeout(resolve, 3000))]);
    location.href = '${next}';`;
}

test.skipIf(chromium === undefined)('pages of other sites change nothing, in a browser that is signed in', async () => {
  const school = await billing.aSchool();
  const { email } = await aPerson(billing, [{ school_id: school, role: 'owner' }]);
  const seen: Seen[] = [];
  let end: (() => void) | undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let pages: Record<string, string> = {};

  /** What the browser takes for the server: our pages, and all else is asked of the product. */
  const home = await listen(async (request, response) => {
    const page = pages[request.url ?? ''];
    if (page !== undefined) {
      sendHtml(response, page);
      return;
    }
    if (request.url === '/done') end?.();
    const answer = await billing.app.inject({
      method: request.method as 'GET',
      url: request.url ?? '/',
      headers: request.headers,
      payload: await bodyOf(request),
    });
    const { origin, cookie, 'sec-fetch-site': site } = request.headers;
    const code = answer.statusCode < 400 ? '' : ` ${String(answer.json().code)}`;
    seen.push({
      request: `${request.method} ${request.url}`,
      from: origin,
      site,
      hasCookie: cookie !== undefined,
      answer: `${answer.statusCode}${code}`,
    });
    for (const [name, value] of Object.entries(answer.headers)) {
      if (value !== undefined && !['connection', 'content-length'].includes(name)) response.setHeader(name, value);
    }
    response.statusCode = answer.statusCode;
    response.end(answer.rawPayload);
  });
  const target = `http://127.0.0.1:${home}`;
  // Another port is another origin of the same site, which is sent the cookie; another name is another site.
  const far = await listen((_, response) => sendHtml(response, attack(target, `${target}/end`)));
  const near = await listen((_, response) => sendHtml(response, attack(target, `http://localhost:${far}/`)));
  const send = (method: string, path: string, body?: object): string =>
    `await fetch('${path}', { method: '${method}'${body === undefined ? '' : `, headers: { 'content-type': 'application/json' }, body: ${JSON.stringify(JSON.stringify(body))}`} });`;
  pages = {
    '/begin': `${send('POST', '/api/v1/session', { email, password: PASSWORD })} ${send('POST', '/api/v1/users', {})}
      location.href = 'http://127.0.0.1:${near}/';`,
    '/end': `${send('GET', '/api/v1/session')} ${send('GET', '/done')}`,
  };
  const before = (await billing.get('/users')).text;

  browser = spawn(
    chromium ?? '',
    [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      `${target}/begin`,
    ],
    { stdio: 'ignore' },
  );
  const timer = setTimeout(() => end?.(), WAIT_MAX_MS);
  await ended;
  clearTimeout(timer);

  const of = (from: string | undefined) => seen.filter((one) => one.from === from);
  const short = ({ request, site, hasCookie, answer }: Seen) => [request, site, hasCookie, answer];
  // The page of this server itself may: it is refused for what it sends alone.
  expect(of(target).map(short)).toEqual([
    ['POST /api/v1/session', 'same-origin', false, '201'],
    ['POST /api/v1/users', 'same-origin', true, '422 request_invalid'],
  ]);
  const attacks = [...of(`http://127.0.0.1:${near}`), ...of(`http://localhost:${far}`)];
  expect(attacks.map(short)).toEqual([
    ['POST /api/v1/users', 'same-site', true, '403 origin_refused'],
    ['POST /api/v1/session', 'same-site', true, '415 media_type_unsupported'],
    ['OPTIONS /api/v1/session', 'same-site', false, '405 method_not_allowed'],
    ['POST /api/v1/users', 'same-site', true, '403 origin_refused'],
    ['POST /api/v1/users', 'cross-site', false, '401 api_key_missing'],
    ['POST /api/v1/session', 'cross-site', false, '415 media_type_unsupported'],
    ['OPTIONS /api/v1/session', 'cross-site', false, '405 method_not_allowed'],
    ['POST /api/v1/users', 'cross-site', false, '401 api_key_missing'],
  ]);
  // And is still signed in.
  expect(of(undefined).map(short)).toContainEqual(['GET /api/v1/session', 'same-origin', true, '200']);
  expect((await billing.get('/users')).text).toBe(before);
});
