import type { IncomingMessage } from 'node:http';
import { parseCookie, type SetCookie, stringifySetCookie } from 'cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HttpError } from '../problems.ts';

/** What browsers keep of us: who is signed in, and a sign-in that was sent to the OpenID provider. */
export type CookieName = 'session' | 'oidc';

type Headers = Pick<IncomingMessage, 'headers'>;

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;
/** What we make has 43 characters: nothing else is worth a look at the database. */
const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/** The token that came in the cookie; undefined for none, or one that we cannot have made. */
export function readCookie(request: Headers, name: CookieName): string | undefined {
  const { cookie } = request.headers;
  // Cheaper than to parse it, for all who send none.
  if (cookie === undefined || !cookie.includes(name)) return undefined;
  const token = parseCookie(cookie)[nameOf(request, name)];
  return token !== undefined && TOKEN.test(token) ? token : undefined;
}

/** Scripts cannot read it, and no cache keeps the answer. @param expires when the browser forgets it */
export function setCookie(request: Headers, reply: FastifyReply, name: CookieName, token: string, expires: Date): void {
  write(reply, { ...attributesOf(request, name), value: token, expires });
}

export function clearCookie(request: Headers, reply: FastifyReply, name: CookieName): void {
  write(reply, { ...attributesOf(request, name), value: '', maxAge: 0 });
}

/**
 * Refuses what a page of another site may have sent: a browser adds the cookie to that, too.
 *
 * @throws HttpError `origin_refused`
 */
export function refuseOtherSites({ method, headers }: FastifyRequest): void {
  if (SAFE_METHODS.has(method)) return;
  const site = headers['sec-fetch-site'];
  if (site === 'same-origin') return;
  // Browsers that send neither are older than SameSite.
  if (site === undefined && headers.origin !== undefined && headers.origin === originOf({ headers })) return;
  throw new HttpError('origin_refused', 'A page of another site may not do this with the cookie of this one');
}

/**
 * The same for what is done without a cookie, such as signing in: whoever sends neither of the headers is no browser.
 *
 * @throws HttpError `origin_refused`
 */
export function refusePagesOfOtherSites(request: FastifyRequest): void {
  const { 'sec-fetch-site': site, origin } = request.headers;
  if (site !== undefined || origin !== undefined) refuseOtherSites(request);
}

/** As browsers write it. Without TLS only this machine itself is asked. */
export function originOf(request: Headers): string {
  return `${isPlain(request) ? 'http' : 'https'}://${(request.headers.host ?? '').toLowerCase()}`;
}

/** On this machine there is no TLS, without which browsers keep no such cookie. A proxy in front says that there is. */
function isPlain({ headers }: Headers): boolean {
  return headers['x-forwarded-proto'] !== 'https' && LOOPBACK.test(headers.host ?? '');
}

/** `__Host-`: kept by browsers only if it came over TLS, from this very host, for all of it. So no other can plant one. */
function nameOf(request: Headers, name: CookieName): string {
  return isPlain(request) ? name : `__Host-${name}`;
}

function attributesOf(request: Headers, name: CookieName): Omit<SetCookie, 'value'> {
  return {
    name: nameOf(request, name),
    path: '/',
    httpOnly: true,
    sameSite: 'lax',
    secure: !isPlain(request),
  };
}

function write(reply: FastifyReply, cookie: SetCookie): void {
  reply.header('set-cookie', stringifySetCookie(cookie));
  reply.header('cache-control', 'no-store');
}
