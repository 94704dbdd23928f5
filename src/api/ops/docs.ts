import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import generator from '@fastify/swagger';
import page, { type FastifySwaggerUiOptions } from '@fastify/swagger-ui';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { JSON_TYPE } from '../edge/idempotency-key.ts';
import { HttpError } from '../edge/problems.ts';
import { documentOptions } from './openapi-document.ts';

/**
 * Serves the OpenAPI document of all routes at /openapi.json and, at /docs, its page. Register before the routes. The
 * document is put together when somebody first asks for it.
 */
export async function registerDocs(
  app: FastifyInstance,
  options: { version: string; readAccess: 'public' | 'key' },
): Promise<void> {
  await app.register(generator, documentOptions(options));
  let document: Buffer | undefined;
  app.get('/openapi.json', { schema: { hide: true }, config: { scope: 'open' } }, async (_request, reply) => {
    document ??= Buffer.from(JSON.stringify(app.swagger()));
    return await reply.type(JSON_TYPE).send(document);
  });
  await app.register((open, _options, done) => {
    open.addHook('onRoute', (route) => {
      route.config = { ...route.config, scope: 'open' };
    });
    keepPages(open);
    void open.register(page, PAGE_OPTIONS);
    done();
  });
}

/** One way to write an address, or a file would be kept once for each way. */
const PLAIN_ADDRESS = /^(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+\/?$/;
/** What an answer from what is kept takes over from the first. */
const KEPT_HEADERS = ['cache-control', 'content-security-policy', 'content-type', 'etag', 'last-modified'] as const;

/**
 * Reads or makes each page, file and form of the document once, and answers from one buffer. Anybody may ask for them as
 * often as they like: what an answer costs must not be more than sending it, nor hold memory or a file of its own.
 */
function keepPages(app: FastifyInstance): void {
  const kept = new Map<string, Readonly<{ headers: Record<string, string>; bytes: Buffer }>>();
  app.addHook('onRequest', async (request, reply) => {
    const address = addressOf(request);
    if (!PLAIN_ADDRESS.test(address)) throw new HttpError('route_not_found', 'There is nothing at this address');
    const page = kept.get(address);
    if (page === undefined || request.method !== 'GET') return;
    reply.headers(page.headers);
    const { etag } = page.headers;
    const isKnown = etag !== undefined && request.headers['if-none-match']?.includes(etag) === true;
    await (isKnown ? reply.code(304).send() : reply.send(page.bytes));
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const address = addressOf(request);
    if (request.method !== 'GET' || reply.statusCode !== 200 || kept.has(address)) return payload;
    const bytes = payload instanceof Readable ? await buffer(payload) : Buffer.from(String(payload));
    const headers = KEPT_HEADERS.flatMap((name) => {
      const value = reply.getHeader(name);
      return value === undefined ? [] : [[name, String(value)]];
    });
    kept.set(address, { headers: Object.fromEntries(headers), bytes });
    return bytes;
  });
}

function addressOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0] ?? '';
}

const PAGE_OPTIONS: FastifySwaggerUiOptions = {
  routePrefix: '/docs',
  uiConfig: { persistAuthorization: false, docExpansion: 'list', deepLinking: true },
  theme: {
    title: 'Mattilda Billing API',
    css: [{ filename: 'page.css', content: '.swagger-ui .topbar { display: none }' }],
  },
  // Everything the page needs comes from this process; it also works behind plain http on another host.
  staticCSP:
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; base-uri 'self'; frame-ancestors 'none'; object-src 'none'",
};
