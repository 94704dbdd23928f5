import Fastify, { type FastifyInstance } from 'fastify';
import { describe, expect, test } from 'vitest';
import type { Identity } from '../../../src/api/edge/authentication.ts';
import { type Access, authorization, requireScopes } from '../../../src/api/edge/authorization.ts';
import { clientAddresses } from '../../../src/api/edge/load/client-address.ts';
import { problemHandler } from '../../../src/api/edge/problems.ts';
import { collectAddresses } from '../../../src/api/edge/unknown-addresses.ts';
import { type Actor, rootActor } from '../../../src/domain/access/actor.ts';
import { type Scope, scopesOf } from '../../../src/domain/access/scopes.ts';

const ROUTES: readonly [url: string, scope: Access, needsAllSchools?: boolean][] = [
  ['/open', 'open'],
  ['/me', 'principal'],
  ['/figures', 'root'],
  ['/payments', 'payments:read'],
  ['/audit', 'audit:read'],
  ['/schools', 'schools:write', true],
];

async function serverFor(identity: Identity, readAccess: 'public' | 'key' = 'public'): Promise<FastifyInstance> {
  const app = Fastify();
  app.setErrorHandler(problemHandler({ error: () => undefined }));
  app.decorateRequest('identity');
  app.decorateRequest('actor');
  app.addHook('onRequest', (request, _reply, done) => {
    request.identity = identity;
    done();
  });
  app.addHook('onRequest', authorization({ readAccess, addresses: clientAddresses(0), onLimited: () => undefined }));
  for (const [url, scope, needsAllSchools = false] of ROUTES) {
    const config = { scope, needsAllSchools };
    for (const method of ['GET', 'POST']) {
      app.route({ method, url, config, handler: ({ actor: { schools } }) => ({ schools }) });
    }
  }
  await app.ready();
  return app;
}

async function ask(app: FastifyInstance, method: 'GET' | 'POST', url: string): Promise<string> {
  const { statusCode, body } = await app.inject({ method, url });
  const answer: { code?: string; schools?: unknown } = JSON.parse(body);
  return `${statusCode} ${answer.code ?? JSON.stringify(answer.schools)}`;
}

function granted(schools: Actor['schools'], ...scopes: Scope[]): Actor {
  return { principalId: 'p', kind: 'user', schools, scopes: scopesOf(...scopes) };
}

async function answersTo(identity: Identity, method: 'GET' | 'POST', readAccess?: 'public' | 'key') {
  const app = await serverFor(identity, readAccess);
  return Object.fromEntries(await Promise.all(ROUTES.map(async ([url]) => [url, await ask(app, method, url)])));
}

describe('who may use what is decided by the declaration of the route', () => {
  test('root may do everything', async () => {
    expect(new Set(Object.values(await answersTo({ name: 'r', grants: [rootActor('r')] }, 'POST')))).toEqual(
      new Set(['200 "all"']),
    );
  });

  test('nobody reads what anybody may, and is asked for a key otherwise', async () => {
    const missing = '401 api_key_missing';
    expect(await answersTo('nobody', 'GET')).toEqual({
      '/open': '200 "all"',
      '/me': missing,
      '/figures': missing,
      '/payments': '200 "all"',
      '/audit': missing,
      '/schools': missing,
    });
    expect(await answersTo('nobody', 'GET', 'key')).toMatchObject({ '/open': '200 "all"', '/payments': missing });
    expect(await answersTo('nobody', 'POST')).toMatchObject({ '/open': '200 "all"', '/payments': missing });
  });

  test('an unknown key is nobody, and is told so where nobody may come', async () => {
    expect(await answersTo('unknown', 'GET')).toMatchObject({
      '/payments': '200 "all"',
      '/me': '403 api_key_invalid',
      '/audit': '403 api_key_invalid',
    });
  });

  test('a principal does what it has the scope for, also among what anybody may read', async () => {
    const missing = '403 scope_missing';
    expect(await answersTo({ name: 'u', grants: [granted([7], 'schools:write', 'audit:read')] }, 'GET')).toEqual({
      '/open': '200 "all"',
      '/me': '200 [7]',
      '/figures': missing,
      '/payments': missing,
      '/audit': '200 [7]',
      '/schools': missing,
    });
    expect(await answersTo({ name: 'u', grants: [granted('all', 'schools:write')] }, 'POST')).toMatchObject({
      '/schools': '200 "all"',
    });
  });

  test('who has it in some schools acts in those', async () => {
    const grants = [granted([7], 'payments:read'), granted([8], 'payments:write', 'audit:read')] as const;
    expect(await answersTo({ name: 'u', grants }, 'GET')).toMatchObject({
      '/payments': '200 [7,8]',
      '/audit': '200 [8]',
    });
  });
});

test('a route that does not say what it needs stops the server from being built', () => {
  const app = Fastify();
  const addresses = collectAddresses(app);
  app.get('/said', { config: { scope: 'payments:read' } }, () => 'x');
  requireScopes(addresses);
  app.post('/forgotten', () => 'x');
  expect(() => requireScopes(addresses)).toThrow('POST /forgotten does not say what is needed to use it');
});
