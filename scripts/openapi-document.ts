import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { FastifyInstance, RouteOptions } from 'fastify';
import { compose, composeServer } from '../src/compose.ts';
import { readConfig } from '../src/config.ts';
import { createLogger } from '../src/infrastructure/logging.ts';

/** A JSON object whose members nobody has looked at yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Nothing listens there, and nothing connects: pools make their first connection with their first query. */
const NO_DATABASE = 'postgresql://nobody@127.0.0.1:1/none';

/** In this order an operation is looked for, whatever order the routes were registered in. */
const METHOD_ORDER = ['get', 'post', 'put', 'patch', 'delete'];

/**
 * Builds the product with its default settings and without a database, and lets `look` see its server and every route
 * it registered.
 */
export async function withServer<T>(
  look: (app: FastifyInstance, routes: readonly RouteOptions[]) => T | Promise<T>,
): Promise<T> {
  const config = readConfig({});
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

/** The OpenAPI document of the routes as they are, paths by name and methods in one order, so that diffs stay small. */
export async function openApiDocument(): Promise<JsonObject> {
  return await withServer((app) => {
    const document: unknown = JSON.parse(JSON.stringify(app.swagger()));
    const { paths, ...rest } = toObject(document);
    const sorted = Object.entries(toObject(paths))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, item]) => [path, byMethod(toObject(item))]);
    return { ...rest, paths: Object.fromEntries(sorted) };
  });
}

/** @throws TypeError when it is none */
export function toObject(value: unknown): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw new TypeError(`not a JSON object: ${JSON.stringify(value)}`);
}

function byMethod(item: JsonObject): JsonObject {
  const rank = (method: string): number => METHOD_ORDER.indexOf(method);
  return Object.fromEntries(Object.entries(item).sort(([a], [b]) => rank(a) - rank(b)));
}

function isAnnouncement(message: unknown): message is { fastify: FastifyInstance } {
  return typeof message === 'object' && message !== null && 'fastify' in message;
}
