import http from 'node:http';
import { API_KEY, PREFIX } from '../../support/address.ts';
import { committedDocument, DocumentedAnswers } from '../../support/documented-answers.ts';
import { invoiceBody, schoolBody, studentBody } from '../../support/factories.ts';

export type Answer = Readonly<{
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
  body: Record<string, unknown>;
}>;

/** A connection that stays silent for so long is a hang, and a hang is a failure. */
const ANSWER_WITHIN_MS = 30_000;

const documented = new DocumentedAnswers(committedDocument());

/**
 * Speaks HTTP over real sockets, and never repeats anything by itself: what a test learns of a broken answer is what a
 * client learns of it.
 */
export class Client {
  readonly base: string;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 256 });

  /** @param base such as http://127.0.0.1:8000 */
  constructor(base: string) {
    this.base = base;
  }

  close(): void {
    this.#agent.destroy();
  }

  /**
   * Paths are below the API's prefix unless they begin with two slashes.
   *
   * @throws Error when the connection breaks before the answer is complete
   */
  async send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const url = new URL(path.startsWith('//') ? path.slice(1) : `${PREFIX}${path}`, this.base);
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const content = payload === undefined ? {} : { 'content-type': 'application/json' };
    const options = { method, agent: this.#agent, headers: { 'x-api-key': API_KEY, ...content, ...headers } };
    return await new Promise((resolve, reject) => {
      const request = http.request(url, options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          if (!response.complete) reject(new Error('the answer was cut'));
          const text = Buffer.concat(chunks).toString('utf8');
          const isJson = /json/.test(String(response.headers['content-type'])) && text !== '';
          const exchange = {
            method,
            url: url.pathname,
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
          };
          try {
            documented.check(exchange);
          } catch (error) {
            reject(error);
          }
          const parsed: Record<string, unknown> = isJson ? JSON.parse(text) : {};
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: parsed });
        });
      });
      request.setTimeout(ANSWER_WITHIN_MS, () => request.destroy(new Error('no answer in time')));
      request.on('error', reject);
      request.end(payload);
    });
  }

  async get(path: string): Promise<Answer> {
    return await this.send('GET', path);
  }

  async post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return await this.send('POST', path, body, headers);
  }

  async pay(invoiceId: number, fields: Record<string, unknown>, key?: string): Promise<Answer> {
    return await this.post(
      `/invoices/${invoiceId}/payments`,
      fields,
      key === undefined ? {} : { 'idempotency-key': key },
    );
  }

  async aStudent(): Promise<number> {
    const school = await this.#made('/schools', schoolBody());
    return await this.#made('/students', studentBody(school));
  }

  async anInvoice(studentId: number, total: string): Promise<number> {
    return await this.#made('/invoices', invoiceBody(studentId, { amount_total: total }));
  }

  /** `count` invoices of one student, made a few at a time. */
  async invoices(count: number, total: string, studentId?: number): Promise<number[]> {
    const student = studentId ?? (await this.aStudent());
    const made: number[] = [];
    await Promise.all(
      Array.from({ length: Math.min(8, count) }, async (_, lane) => {
        for (let n = lane; n < count; n += 8) made.push(await this.anInvoice(student, total));
      }),
    );
    return made;
  }

  async #made(path: string, body: unknown): Promise<number> {
    const { status, body: made, text } = await this.post(path, body);
    if (status !== 201 || typeof made['id'] !== 'number') throw new Error(`POST ${path} answered ${status}: ${text}`);
    return made['id'];
  }
}
