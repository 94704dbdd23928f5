import type { onRequestHookHandler } from 'fastify';
import type { Principal } from '../authentication.ts';
import { HttpError } from '../problems.ts';
import { readCookie, refuseOtherSites } from './cookies.ts';

/** Who the session of a token is; undefined when it is over, or never was. */
export type FindPrincipal = (token: string) => Promise<Principal | undefined>;

/**
 * Says who asks where a cookie does: for requests without a key, beside which no cookie is looked at. A cookie that is worth
 * nothing any more is refused, also by what is open to all, so that signing somebody out never widens what they see.
 */
export function sessions(findPrincipal: FindPrincipal): onRequestHookHandler {
  return (request, _reply, done) => {
    const isOpen = request.routeOptions.config.scope === 'open';
    const token = request.identity === 'nobody' && !isOpen ? readCookie(request, 'session') : undefined;
    if (token === undefined) {
      done();
      return;
    }
    const identify = async (): Promise<void> => {
      refuseOtherSites(request);
      const principal = await findPrincipal(token);
      if (principal === undefined) throw new HttpError('session_over', 'The session is over', { headers: CHALLENGE });
      request.identity = principal;
    };
    identify().then(() => done(), done);
  };
}

const CHALLENGE = { 'www-authenticate': 'ApiKey' };
