import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { aDatabase, DRIFT } from './support/databases.ts';
import { ServerProcess } from './support/server-process.ts';

const CLIENTS = 8;
/** How often the balancer looks at /health/ready. A server must be not ready for longer than this before it goes. */
const PROBE_EVERY_MS = 50;
const SHUTDOWN_DELAY_MS = '500';

/**
 * A balancer as simple as they come: it asks every server whether it is ready, sends requests in turn to those that
 * are, over connections it keeps, and repeats nothing. So what fails, fails visibly.
 */
class Balancer {
  readonly base: string;
  readonly failures: string[] = [];
  readonly servedBy = new Map<string, number>();
  readonly #server: http.Server;
  readonly #ready = new Set<string>();
  readonly #agent = new http.Agent({ keepAlive: true });
  readonly #probing: NodeJS.Timeout;
  #turn = 0;

  static async start(servers: readonly string[]): Promise<Balancer> {
    const server = http.createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Balancer(server, servers);
  }

  private constructor(server: http.Server, servers: readonly string[]) {
    this.#server = server;
    this.base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#probing = setInterval(() => {
      for (const one of servers) this.#probe(one);
    }, PROBE_EVERY_MS);
    server.on('request', (request, response) => this.#pass(request, response));
  }

  async untilReady(count: number): Promise<void> {
    while (this.#ready.size < count) await setTimeout(PROBE_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#probing);
    this.#agent.destroy();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #probe(server: string): void {
    const set = (isReady: boolean): void => void (isReady ? this.#ready.add(server) : this.#ready.delete(server));
    http
      .get(`${server}/health/ready`, { agent: false }, (answer) => {
        answer.resume();
        set(answer.statusCode === 200);
      })
      .on('error', () => set(false));
  }

  #pass(request: http.IncomingMessage, response: http.ServerResponse): void {
    const ready = [...this.#ready];
    const target = ready[this.#turn++ % ready.length];
    const fail = (why: string): void => {
      this.failures.push(`${request.method} ${request.url}: ${why}`);
      response.destroy();
    };
    if (target === undefined) {
      fail('no server is ready');
      return;
    }
    this.servedBy.set(target, (this.servedBy.get(target) ?? 0) + 1);
    const { connection: _, ...headers } = request.headers;
    const onward = http.request(`${target}${request.url}`, { method: request.method, headers, agent: this.#agent });
    onward.on('error', (error) => fail(error.message));
    onward.on('response', (answer) => {
      const { connection: __, ...answered } = answer.headers;
      response.writeHead(answer.statusCode ?? 500, answered);
      answer.pipe(response);
      answer.on('error', (error) => fail(error.message));
    });
    request.pipe(onward);
  }
}

test('200 and 201 only: two servers are restarted one after the other under load', async () => {
  const databases = await aDatabase();
  const env = { SHUTDOWN_DELAY_MS };
  const servers = [await ServerProcess.start(databases, env), await ServerProcess.start(databases, env)];
  const balancer = await Balancer.start(servers.map(({ base }) => base));
  await balancer.untilReady(2);
  const client = new Client(balancer.base);
  const [invoiceId = 0] = await client.invoices(1, '9999999999.99');
  const wrong: string[] = [];
  let answered = 0;
  let paid = 0;
  let isOver = false;

  const load = Array.from({ length: CLIENTS }, async (_, index) => {
    while (!isOver) {
      try {
        const isPayment = index % 2 === 0;
        const { status } = isPayment
          ? await client.pay(invoiceId, { amount: '0.01' })
          : await client.get(`/invoices/${invoiceId}`);
        answered += 1;
        if (status === 201) paid += 1;
        if (status !== 200 && status !== 201) wrong.push(String(status));
      } catch (error) {
        wrong.push(String(error));
      }
    }
  });

  for (const [index, server] of servers.entries()) {
    const before = answered;
    while (answered < before + 200) await setTimeout(10);
    await server.stop();
    servers[index] = await ServerProcess.start(databases, { ...env, PORT: server.port });
    await balancer.untilReady(2);
  }
  const before = answered;
  while (answered < before + 200) await setTimeout(10);
  isOver = true;
  await Promise.all(load);

  console.log(`rolling restart: ${answered} answers, ${wrong.length} wrong, ${balancer.failures.length} failed`);
  expect(wrong).toEqual([]);
  expect(balancer.failures).toEqual([]);
  expect([...balancer.servedBy.keys()]).toHaveLength(2);
  const { rows } = await databases.owner.query('select count(*)::int as payments from payments');
  expect(rows).toEqual([{ payments: paid }]);
  expect((await databases.owner.query(DRIFT)).rows).toEqual([]);

  client.close();
  balancer.stop();
  for (const server of servers) await server.stop();
}, 180_000);
