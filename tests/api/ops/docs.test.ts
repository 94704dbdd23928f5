import Fastify from 'fastify';
import { describe, expect, test, vi } from 'vitest';
import { registerDocs } from '../../../src/api/ops/docs.ts';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling();

describe('/docs', () => {
  test.each([
    ['//docs', /^text\/html/],
    ['//docs/static/swagger-ui.css', /^text\/css/],
    ['//docs/static/swagger-ui-bundle.js', /javascript/],
    ['//docs/json', /^application\/json/],
    ['//openapi.json', /^application\/json/],
  ])('200: %s, also a second time and whatever is asked of it', async (path, type) => {
    const first = await billing.get(path);
    const second = await billing.get(`${path}?v=2`, { range: 'bytes=0-3' });
    expect(first.status).toBe(200);
    expect(first.headers['content-type']).toMatch(type);
    expect(second.text).toBe(first.text);
    expect(second.status).toBe(200);
    for (const name of ['content-type', 'cache-control', 'content-security-policy', 'etag']) {
      expect(`${name}: ${second.headers[name]}`).toBe(`${name}: ${first.headers[name]}`);
    }
  });

  test('304: a file that the browser has', async () => {
    const { headers } = await billing.get('//docs/static/swagger-ui.css');
    const again = await billing.get('//docs/static/swagger-ui.css', { 'if-none-match': String(headers['etag']) });
    expect({ status: again.status, text: again.text }).toEqual({ status: 304, text: '' });
  });

  // A buffer for each answer that nobody reads was two gigabytes on one connection.
  test('a file is one buffer, however often it is asked for', async () => {
    const path = '/docs/static/swagger-ui-bundle.js';
    const app = Fastify();
    const ends: ReturnType<typeof vi.spyOn>[] = [];
    app.addHook('onRequest', (_request, reply, done) => {
      ends.push(vi.spyOn(reply.raw, 'end'));
      done();
    });
    await registerDocs(app, { version: '0', readAccess: 'public' });
    for (const url of [path, path, `${path}?v=2`]) await app.inject(url);
    const sent = new Set(ends.map((end) => end.mock.calls[0]?.[0]));
    expect(sent.size).toBe(1);
    expect([...sent][0]).toBeInstanceOf(Buffer);
    await app.close();
  });

  test('404: another way to write the address of a file', async () => {
    expect((await billing.get('//docs/static/%73wagger-ui-bundle.js')).status).toBe(404);
    expect((await billing.get('//docs//static/swagger-ui-bundle.js')).status).toBe(404);
  });
});
