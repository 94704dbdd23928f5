import generator from '@fastify/swagger';
import page, { type FastifySwaggerUiOptions } from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { JSON_TYPE } from '../edge/idempotency-key.ts';
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
  let text: string | undefined;
  app.get('/openapi.json', { schema: { hide: true }, config: { isOpen: true } }, async (_request, reply) => {
    text ??= JSON.stringify(app.swagger());
    return await reply.type(JSON_TYPE).send(text);
  });
  await app.register((open, _options, done) => {
    open.addHook('onRoute', (route) => {
      route.config = { ...route.config, isOpen: true };
    });
    void open.register(page, PAGE_OPTIONS);
    done();
  });
}

const PAGE_OPTIONS: FastifySwaggerUiOptions = {
  routePrefix: '/docs',
  uiConfig: { persistAuthorization: true, docExpansion: 'list', deepLinking: true },
  theme: {
    title: 'Mattilda Billing API',
    css: [{ filename: 'page.css', content: '.swagger-ui .topbar { display: none }' }],
  },
  // Everything the page needs comes from this process; it also works behind plain http on another host.
  staticCSP:
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; base-uri 'self'; frame-ancestors 'none'; object-src 'none'",
};
