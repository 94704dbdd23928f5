import { scryptSync } from 'node:crypto';
import { parseSetCookie } from 'cookie';
import type { Answer, Billing, Json } from './billing.ts';
import { userBody } from './factories.ts';

/** Somebody's browser: keeps the cookies it is sent, and says where its requests come from. No API key. */
export class Browser {
  readonly cookies = new Map<string, string>();
  readonly #billing: Billing;
  #headers: Record<string, string>;

  /** @param headers of every request, such as `Host` */
  constructor(billing: Billing, headers: Record<string, string> = {}) {
    this.#billing = billing;
    this.#headers = { 'sec-fetch-site': 'same-origin', host: '127.0.0.1:8000', ...headers };
  }

  async send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const sent = { 'x-api-key': '', ...this.#headers, ...(cookie === '' ? {} : { cookie }), ...headers };
    const answer = await this.#billing.send(method, path, body, sent);
    for (const header of [answer.headers['set-cookie'] ?? []].flat()) {
      const { name, value = '', maxAge } = parseSetCookie(String(header));
      if (maxAge === 0) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }

  /** As an old browser, or a program: says nothing of where a request comes from. */
  forgetSite(): void {
    const { 'sec-fetch-site': _, ...others } = this.#headers;
    this.#headers = others;
  }

  async signIn(email: string, password: string): Promise<Answer> {
    return await this.send('POST', '/session', { email, password });
  }
}

export const PASSWORD = 'a long walk by the river';

/** The password above, at parameters that cost nothing. */
const CHEAP = { N: 2, r: 1, p: 1 };
const SALT = Buffer.from('a salt for tests');
const CHEAP_HASH = `scrypt$${CHEAP.N}$${CHEAP.r}$${CHEAP.p}$${SALT.toString('base64')}$${scryptSync(PASSWORD, SALT, 32, CHEAP).toString('base64')}`;

/** Somebody who has a password, and has not signed in. */
export async function aPerson(
  billing: Billing,
  memberships: readonly Json[],
): Promise<{ id: number; email: string; browser: Browser }> {
  const { body } = await billing.post('/users', userBody({ memberships }));
  await billing.owner.query('update users set password_hash = $1 where id = $2', [CHEAP_HASH, body['id']]);
  return { id: Number(body['id']), email: String(body['email']), browser: new Browser(billing) };
}
