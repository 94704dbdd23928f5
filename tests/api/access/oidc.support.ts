import { createSign, generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';

type Claims = Record<string, unknown>;

export const CLIENT_ID = 'billing';
export const CLIENT_SECRET = 'a client secret of more than thirty-two characters';
const KEY_ID = 'key';

/**
 * A real OpenID provider on this machine, at which everybody is who they say they are. What it says of them can be
 * falsified, with its own signature or another one.
 */
export class LyingProvider {
  readonly issuer: string;
  readonly #server: Server;
  readonly #key = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  readonly #other = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  /** Of whoever signs in next. */
  claims: { email: string; email_verified: boolean } = { email: 'nobody@example.com', email_verified: true };
  /** What the ID token says instead. */
  lie: Claims = {};
  isForged = false;
  tokensAsked = 0;

  static async start(redirectUri: string): Promise<LyingProvider> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new LyingProvider(server, redirectUri);
  }

  private constructor(server: Server, redirectUri: string) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.issuer = `http://127.0.0.1:${port}`;
    const provider = new Provider(this.issuer, {
      clients: [{ client_id: CLIENT_ID, client_secret: CLIENT_SECRET, redirect_uris: [redirectUri] }],
      jwks: { keys: [{ ...this.#key.privateKey.export({ format: 'jwk' }), kid: KEY_ID, alg: 'RS256', use: 'sig' }] },
      claims: { openid: ['sub'], email: ['email', 'email_verified'] },
      conformIdTokenClaims: false,
      cookies: { keys: ['a key of cookies'] },
      features: { devInteractions: { enabled: true } },
      findAccount: (_context: unknown, sub: string) => ({
        accountId: sub,
        claims: () => ({ sub, ...this.claims }),
      }),
    });
    provider.use(async (context, next) => {
      await next();
      if (context.path !== '/token') return;
      this.tokensAsked += 1;
      const body = context.body as { id_token?: string };
      if (body.id_token !== undefined) body.id_token = this.#falsified(body.id_token);
    });
    const answer = provider.callback();
    server.on('request', (request, response) => void answer(request, response));
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Goes where a browser is sent, signs in there as `login`, and comes back with the address of the callback. */
  async signIn(address: string, login: string): Promise<string> {
    const jar = new Map<string, string>();
    let url = address;
    let form: URLSearchParams | undefined;
    for (let step = 0; step < 20; step++) {
      const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
      const headers = { cookie, ...(form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}) };
      const answer = await fetch(url, {
        redirect: 'manual',
        headers,
        ...(form ? { method: 'POST', body: form.toString() } : {}),
      });
      for (const one of answer.headers.getSetCookie()) {
        const [pair = ''] = one.split(';', 1);
        const [name = '', value = ''] = pair.split(/=(.*)/s);
        if (value === '') jar.delete(name);
        else jar.set(name, value);
      }
      const location = answer.headers.get('location');
      if (location !== null) {
        url = new URL(location, url).href;
        form = undefined;
        if (!url.startsWith(this.issuer)) return url;
      } else {
        const page = await answer.text();
        const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
        const action = /action="([^"]+)"/.exec(page)?.[1];
        if (prompt === undefined || action === undefined) throw new Error(`no form at ${url}: ${page.slice(0, 500)}`);
        url = new URL(action, url).href;
        form = new URLSearchParams({ prompt, login, password: 'x' });
      }
    }
    throw new Error('the provider never sent anybody back');
  }

  #falsified(token: string): string {
    const [, payload = ''] = token.split('.');
    const claims: Claims = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), ...this.lie };
    const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
    const signed = `${encode({ alg: 'RS256', typ: 'JWT', kid: KEY_ID })}.${encode(claims)}`;
    const { privateKey } = this.isForged ? this.#other : this.#key;
    return `${signed}.${createSign('RSA-SHA256').update(signed).sign(privateKey).toString('base64url')}`;
  }
}
