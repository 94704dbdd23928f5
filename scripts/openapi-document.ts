import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { compose, composeServer } from '../src/compose.ts';
import { readConfig } from '../src/config.ts';
import { createLogger } from '../src/infrastructure/observability/logging.ts';

export type Schema = Readonly<Record<string, unknown>>;
export type MediaType = Readonly<{ schema: Schema; examples?: Readonly<Record<string, { value: unknown }>> }>;
export type Parameter = Readonly<{
  name: string;
  in: string;
  schema: Schema;
  example?: unknown;
  examples?: unknown;
  required?: boolean;
}>;
export type Answer = Readonly<{
  description: string;
  headers?: Readonly<Record<string, { schema: Schema }>>;
  content?: Readonly<Record<string, MediaType>>;
}>;
export type Operation = Readonly<{
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: readonly string[];
  security?: readonly object[];
  parameters?: readonly Parameter[];
  requestBody?: Readonly<{ content: Readonly<Record<string, MediaType>> }>;
  responses: Readonly<Record<string, Answer>>;
  'x-problem-codes'?: readonly string[];
  'x-scope'?: string;
  'x-all-schools'?: boolean;
  'x-family-links'?: boolean;
  'x-files'?: Readonly<Record<string, string>>;
}>;

/** As much of an OpenAPI document as is looked at here. */
export type OpenApiDocument = Readonly<{
  openapi: string;
  tags: readonly { name: string }[];
  components: Readonly<{
    schemas: Readonly<Record<string, Schema>>;
    responses: Readonly<Record<string, Answer>>;
    securitySchemes: Readonly<Record<string, unknown>>;
  }>;
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}>;

/** Nothing listens there, and nothing connects: pools make their first connection with their first query. */
const NO_DATABASE = 'postgresql://nobody@127.0.0.1:1/none';

/** In this order an operation is looked for, whatever order the routes were registered in. */
const METHOD_ORDER = ['get', 'post', 'put', 'patch', 'delete'];

/**
 * Builds the product without a database and, but for `env`, with its default settings, and lets `look` see its server
 * and every route it registered.
 */
export async function withServer<T>(
  look: (app: FastifyInstance, routes: readonly RouteOptions[]) => T | Promise<T>,
  env: Readonly<Record<string, string>> = {},
): Promise<T> {
  const config = readConfig(env);
  const log = createLogger({ level: 'silent', isTerminal: false });
  const product = await compose({ config, databaseUrl: NO_DATABASE, log });
  const routes: RouteOptions[] = [];
  // Fastify announces each instance when it is made: the one moment at which every later route can still be heard.
  const listen = (message: unknown): void => {
    if (isAnnouncement(message)) message.fastify.addHook('onRoute', (route) => void routes.push(route));
  };
  subscribe('fastify.initialization', listen);
  try {
    const app = await composeServer(product, { config, log });
    await app.ready();
    try {
      return await look(app, routes);
    } finally {
      await app.close();
    }
  } finally {
    unsubscribe('fastify.initialization', listen);
    await product.close();
  }
}

/**
 * The OpenAPI document of the routes as they are, paths by name and methods in one order, so that diffs stay small.
 *
 * @param env configuration that differs from the default
 */
export async function openApiDocument(env: Readonly<Record<string, string>> = {}): Promise<OpenApiDocument> {
  return await withServer(async (app) => {
    const document: OpenApiDocument = JSON.parse((await app.inject('/openapi.json')).body);
    const paths = Object.entries(document.paths)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, item]) => [path, byMethod(item)]);
    return { ...document, paths: Object.fromEntries(paths) };
  }, env);
}

function byMethod<T>(item: Readonly<Record<string, T>>): Record<string, T> {
  const rank = (method: string): number => METHOD_ORDER.indexOf(method);
  return Object.fromEntries(Object.entries(item).sort(([a], [b]) => rank(a) - rank(b)));
}

function isAnnouncement(message: unknown): message is { fastify: FastifyInstance } {
  return typeof message === 'object' && message !== null && 'fastify' in message;
}
