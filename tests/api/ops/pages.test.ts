import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { toHtml } from '../../../src/api/ops/problem-pages.ts';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling({ READ_ACCESS: 'key' });

/** What a browser sends. */
const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'x-api-key': '' };
const PROGRAM = { 'x-api-key': '' };
const CODES = readdirSync(new URL('../../../docs/errors/', import.meta.url)).map((file) => file.replace('.md', ''));

describe('GET /', () => {
  test('200: says a program where to go on, and each of these addresses answers', async () => {
    const { status, body, headers } = await billing.get<Record<string, string>>('//', PROGRAM);
    expect([status, headers['vary']]).toEqual([200, 'Accept']);
    const { name, version, api, ...addresses } = body;
    expect({ name, api }).toEqual({ name: 'Mattilda Billing', api: '/api/v1' });
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect(Object.keys(addresses)).toEqual(['docs', 'openapi', 'health']);
    for (const address of Object.values(addresses)) {
      expect((await billing.get(`/${address}`, PROGRAM)).status, address).toBe(200);
    }
  });

  test('200: is a page for a browser, with the same addresses as links', async () => {
    const { status, text, headers } = await billing.get('//', BROWSER);
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    const links = [...text.matchAll(/href="([^"]+)"/g)].map(([, address]) => address);
    expect(links).toEqual(['/docs', '/openapi.json', '/health']);
  });
});

describe('GET /problems/{code}', () => {
  test('200: is a page for a browser that runs nothing', async () => {
    const { status, text, headers } = await billing.get('//problems/payment_exceeds_pending', BROWSER);
    expect([status, headers['content-type'], headers['vary']]).toEqual([
      200,
      'text/html; charset=utf-8',
      'Accept, Accept-Encoding',
    ]);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-/);
    expect(text).toContain('<h1>payment_exceeds_pending</h1>');
    expect(text).toContain('&quot;pending&quot;: &quot;1000.00&quot;');
    expect(text).toContain('<strong>Fix.</strong>');
  });

  test.each([
    ['nothing', {}],
    ['*/*', { accept: '*/*' }],
    ['JSON', { accept: 'application/json' }],
    ['Markdown', { accept: 'text/markdown, text/html;q=0.5' }],
  ])('200: is Markdown for who asks for %s', async (_name, accept) => {
    const { status, text, headers } = await billing.get('//problems/json_invalid', { ...PROGRAM, ...accept });
    expect([status, headers['content-type']]).toEqual([200, 'text/markdown; charset=utf-8']);
    expect(text).toMatch(/^# json_invalid\n/);
  });

  test.each(CODES)('200: the page of %s has no markup but that of Markdown', async (code) => {
    const { status, text } = await billing.get(`//problems/${code}`, BROWSER);
    expect(status).toBe(200);
    const tags = new Set([...text.matchAll(/<\/?([a-z0-9]+)/g)].map(([, tag]) => tag));
    const known = 'html meta title style h1 p strong em code pre a ul ol li'.split(' ');
    expect([...tags].filter((tag) => !known.includes(tag ?? ''))).toEqual([]);
  });
});

test('HTML within Markdown is shown, not obeyed', async () => {
  const html = await toHtml('# A page\n\n<script>alert(1)</script>\n\nand <b onclick="x">so</b> on');
  expect(html).not.toMatch(/<(script|b)\b/);
  expect(html).toContain('&#60;script&#62;');
});

describe('GET /docs', () => {
  test.each(['//docs', '//docs/static/swagger-ui.css', '//docs/static/theme/page.css', '//docs/json', '//docs/yaml'])(
    '200: %s is open even where reads need the key',
    async (address) => {
      expect((await billing.get(address, PROGRAM)).status).toBe(200);
    },
  );

  test('404: a problem document for a file that is not there', async () => {
    const { status, body } = await billing.get('//docs/static/nothing.js', PROGRAM);
    expect([status, body['code']]).toEqual([404, 'route_not_found']);
  });
});
