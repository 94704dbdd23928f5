import type { SwaggerOptions } from '@fastify/swagger';
import type { FastifySwaggerUiOptions } from '@fastify/swagger-ui';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { HttpError } from '../edge/problems.ts';
import { PROBLEM_SCHEMA } from '../openapi.ts';

/** Said anew by the server that answers, so not taken over from the one that documents. */
const OWN_HEADERS = new Set(['connection', 'content-length', 'date', 'keep-alive', 'transfer-encoding']);

/**
 * Serves the OpenAPI document of all routes and, at /docs, its page. Register before the routes.
 *
 * Both come from a second server without a port, which is made when somebody asks: generator and page are 90 modules
 * and an index of 250 kB, which were a fifth of the time of every start and are looked at in few.
 */
export function registerDocs(app: FastifyInstance, { version }: { version: string }): void {
  app.addSchema(PROBLEM_SCHEMA);
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => {
    routes.push(route);
  });
  let documenting: Promise<FastifyInstance> | undefined;
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    documenting ??= document(routes, version);
    const { headers, method, url } = request;
    const page = await (await documenting).inject({ method: method === 'HEAD' ? 'HEAD' : 'GET', url, headers });
    if (page.statusCode >= 400) throw new HttpError('route_not_found', 'There is nothing at this address');
    for (const [name, value] of Object.entries(page.headers)) {
      if (value !== undefined && !OWN_HEADERS.has(name)) reply.header(name, value);
    }
    return await reply.code(page.statusCode).send(page.rawPayload.length > 0 ? page.rawPayload : undefined);
  };
  for (const url of ['/openapi.json', '/docs', '/docs/*']) {
    app.get(url, { schema: { hide: true }, config: { isOpen: true } }, answer);
  }
  app.addHook('onClose', async () => await (await documenting)?.close());
}

/** A server that knows every route and its schemas, but only answers for what they look like. */
async function document(routes: readonly RouteOptions[], version: string): Promise<FastifyInstance> {
  const [{ default: Fastify }, { default: generator }, { default: page }] = await Promise.all([
    import('fastify'),
    import('@fastify/swagger'),
    import('@fastify/swagger-ui'),
  ]);
  const app = Fastify();
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => JSON.stringify);
  app.addSchema(PROBLEM_SCHEMA);
  await app.register(generator, documentOptions(version));
  await app.register(page, PAGE_OPTIONS);
  const shown = routes.filter(({ method, schema }) => method !== 'HEAD' && schema?.hide !== true);
  for (const { method, url, schema = {} } of shown) {
    // A DELETE has the schema of a body to refuse what is in one, not to be sent one.
    const { body: _, ...withoutBody } = schema;
    app.route({ method, url, schema: method === 'DELETE' ? withoutBody : schema, handler: () => undefined });
  }
  let text: string | undefined;
  app.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) => {
    text ??= JSON.stringify(app.swagger(), withOptionalBodies);
    return await reply.type('application/json; charset=utf-8').send(text);
  });
  await app.ready();
  return app;
}

/** The generator calls every body required; one whose schema allows null may be left out. */
function withOptionalBodies(name: string, member: unknown): unknown {
  if (name !== 'requestBody' || typeof member !== 'object' || member === null) return member;
  return /"type":\["object","null"\]/.test(JSON.stringify(member)) ? { ...member, required: false } : member;
}

function documentOptions(version: string): SwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Mattilda Billing API',
        version,
        description:
          'Billing for schools: students, invoices, payments and account statements in real time. Money is decimal text with two places; errors are RFC 9457 problem documents.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      tags: ['schools', 'students', 'invoices', 'payments', 'statements', 'reports', 'service'].map((name) => ({
        name,
      })),
      components: {
        securitySchemes: { apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' } },
      },
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, index) => String(json['$id'] ?? `def-${index}`) },
  };
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
