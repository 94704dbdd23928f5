import type { FastifyInstance } from 'fastify';
import type { Static } from 'typebox';
import type { InvitationService } from '../../../services/access/invitation-service.ts';
import type { SessionService } from '../../../services/access/session-service.ts';
import { JSON_TYPE } from '../../edge/idempotency-key.ts';
import type { ClientAddresses } from '../../edge/load/client-address.ts';
import {
  clearCookie,
  readCookie,
  refuseOtherSites,
  refusePagesOfOtherSites,
  setCookie,
} from '../../edge/sign-in/cookies.ts';
import { LOCATION_HEADER, openReadDocs, openWriteDocs } from '../../openapi.ts';
import {
  InvitationParams,
  InvitationTake,
  SessionCreate,
  SessionResponse,
  toSignIn,
} from '../../schemas/access/session.ts';
import { NoBody } from '../../schemas/common.ts';

const tag = 'session';
const scope = 'open';
const config = { scope } as const;
const answer = { schema: SessionResponse, description: 'Who is signed in.' };

type Services = Readonly<{ sessions: SessionService; invitations: InvitationService }>;

/** What somebody does before anybody knows who they are: so none of it needs a key, and none of it has an actor. */
export function sessionRoutes(
  routes: FastifyInstance,
  { sessions, invitations }: Services,
  addresses: ClientAddresses,
): void {
  const signIn = {
    tag,
    id: 'signIn',
    scope,
    summary: "Sign in with a password, or with a family's link",
    description:
      'Answers with the cookie of a new session, and ends the one of the cookie that came along. A session ends after 12 hours without use, and after 7 days; that of a link with it.',
    refusals: ['credentials_wrong', 'link_over', 'sign_in_throttled', 'origin_refused'],
    success: { status: 201, ...answer, headers: { ...LOCATION_HEADER, ...COOKIE_HEADERS } },
  } as const;
  routes.post<{ Body: Static<typeof SessionCreate> }>(
    '/session',
    { schema: { ...openWriteDocs(signIn), body: SessionCreate }, config },
    async (request, reply) => {
      refusePagesOfOtherSites(request);
      const previous = readCookie(request, 'session');
      const by = toSignIn(request.body);
      const { token, expiresAt } =
        'linkToken' in by
          ? await sessions.signInByLink(request.actor, by.linkToken, addresses.of(request.raw), previous)
          : await sessions.signIn(request.actor, by, addresses.of(request.raw), previous);
      setCookie(request, reply, 'session', token, expiresAt);
      return await reply
        .code(201)
        .header('location', `${routes.prefix}/session`)
        .type(JSON_TYPE)
        .send(await sessions.findJson(token));
    },
  );

  const whoIs = {
    tag,
    id: 'getSession',
    scope,
    summary: 'Get who is signed in',
    description: 'By the cookie of the session.',
    refusals: ['session_not_found'],
    success: { status: 200, ...answer },
  } as const;
  routes.get('/session', { schema: openReadDocs(whoIs), config }, async (request, reply) => {
    const json = await sessions.findJson(readCookie(request, 'session'));
    return await reply.header('cache-control', 'no-store').type(JSON_TYPE).send(json);
  });

  const signOut = {
    tag,
    id: 'signOut',
    scope,
    summary: 'Sign out',
    description: 'Ends the session of the cookie, if there is one, and makes the browser forget it.',
    refusals: ['origin_refused'],
    success: { status: 204, description: 'Nobody is signed in.', headers: COOKIE_HEADERS },
  } as const;
  routes.delete('/session', { schema: { ...openWriteDocs(signOut), body: NoBody }, config }, async (request, reply) => {
    const token = readCookie(request, 'session');
    if (token !== undefined) {
      refuseOtherSites(request);
      await sessions.signOut(request.actor, token);
    }
    clearCookie(request, reply, 'session');
    return await reply.code(204).send();
  });

  const take = {
    tag,
    id: 'takeInvitation',
    scope,
    summary: 'Choose a password with an invitation',
    description: 'Once. Ends all sessions of the user; sign in afterwards.',
    refusals: ['invitation_not_found', 'password_common', 'origin_refused'],
    success: { status: 204, description: 'The password is set.' },
  } as const;
  routes.put<{ Params: { token: string }; Body: { password: string } }>(
    '/invitations/:token',
    { schema: { ...openWriteDocs(take), params: InvitationParams, body: InvitationTake }, config },
    async (request, reply) => {
      refusePagesOfOtherSites(request);
      await invitations.take(request.actor, request.params.token, request.body.password);
      return await reply.code(204).send();
    },
  );
}

const COOKIE_HEADERS = {
  'Set-Cookie': { description: 'The cookie of the session, or its end.', type: 'string' },
};
