import type { FastifyInstance } from 'fastify';
import type { OidcService } from '../../../services/access/oidc-service.ts';
import type { ClientAddresses } from '../../edge/load/client-address.ts';
import { clearCookie, readCookie, setCookie } from '../../edge/sign-in/cookies.ts';
import { CallbackQuery } from '../../schemas/access/session.ts';

const config = { scope: 'open' } as const;
/** Where somebody is sent who has signed in. */
const HOME = '/';

/** For browsers, which are sent to the provider and come back from it: so programs are not told of them. */
export function oidcRoutes(routes: FastifyInstance, oidc: OidcService, addresses: ClientAddresses): void {
  routes.get('/oidc/start', { schema: { hide: true }, config }, async (request, reply) => {
    const { token, address, expiresAt } = await oidc.start();
    setCookie(request, reply, 'oidc', token, expiresAt);
    return await reply.redirect(address, 302);
  });

  const schema = { hide: true, querystring: CallbackQuery };
  routes.get('/oidc/callback', { schema, config }, async (request, reply) => {
    const [, query = ''] = request.url.split('?', 2);
    const previous = readCookie(request, 'session');
    const came = { token: readCookie(request, 'oidc'), address: addresses.of(request.raw) };
    const { token, expiresAt } = await oidc.finish(request.actor, query, came, previous);
    clearCookie(request, reply, 'oidc');
    setCookie(request, reply, 'session', token, expiresAt);
    return await reply.redirect(HOME, 302);
  });
}
