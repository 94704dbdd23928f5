import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { CONNECTION_LIMITS } from '../api/edge/load/connection-limits.ts';
import { compose, composeServer, FURTHER_CONNECTIONS_MAX, type Product } from '../compose.ts';
import type { Config } from '../config.ts';
import { flushLogger, type Logger } from '../infrastructure/observability/logging.ts';
import { moveSequencesOn } from './sequences.ts';
import { publishAddress } from './server-address.ts';

/** A server that answers and does the jobs, until `stop`. */
export type Server = Readonly<{
  /** Such as http://127.0.0.1:8000. */
  address: string;
  /** To PostgreSQL. */
  connectionsMax: number;
  /** Says "not ready", finishes what runs, gives the connections back. Never takes longer than its limit. */
  stop(): Promise<void>;
}>;

/** What runs when the stop begins has this long to finish; a reader that is slower is cut off. */
const DRAIN_MAX_MS = 7_000;
/** A connection that was kept alive by an answer sent after the stop began is closed within this. */
const REAP_EVERY_MS = 50;

/** Composes the product. It asks the database for nothing, and has nothing to give back, until it listens. */
export async function prepareServer(runtime: {
  config: Config;
  databaseUrl: string;
  log: Logger;
}): Promise<{ listen: () => Promise<Server> }> {
  const product = await compose(runtime);
  const app = await composeServer(product, runtime);
  return { listen: async () => await listen(app, product, runtime) };
}

async function listen(
  app: FastifyInstance,
  product: Product,
  { config, log }: { config: Config; log: Logger },
): Promise<Server> {
  await moveSequencesOn(product.unitOfWork, log);
  // Node's 511 are too few: of a crowd that arrives at once the rest is dropped, and TCP asks again after 1, 3 and 7 s.
  const { connectionsMax: backlog } = CONNECTION_LIMITS;
  await app.listen({ host: config.host, port: config.port, backlog });
  if (config.worker) product.jobs.start();
  const address = toAddress(app.server.address(), config);
  const withdrawAddress = publishAddress(config, address);
  log.info({ address }, 'server_started');

  return {
    address,
    connectionsMax: config.database.connectionsMax + FURTHER_CONNECTIONS_MAX,
    stop: async () => {
      // From here on /health/ready says no and every answer ends its connection: balancers go elsewhere, clients with them.
      withdrawAddress();
      product.readiness.stop();
      await setTimeout(config.shutdownDelayMs);
      await Promise.all([drain(app), product.jobs.stop()]);
      await product.close();
      log.info({}, 'server_stopped');
      await flushLogger(log);
    },
  };
}

/** Takes no new connections, lets running requests finish, and cuts off those that take too long. */
async function drain(app: FastifyInstance): Promise<void> {
  const closed = app.close();
  const reaper = setInterval(() => app.server.closeIdleConnections(), REAP_EVERY_MS);
  const late = setTimeout(DRAIN_MAX_MS, 'late' as const, { ref: false });
  if ((await Promise.race([closed, late])) === 'late') app.server.closeAllConnections();
  await closed.finally(() => clearInterval(reaper));
}

function toAddress(bound: AddressInfo | string | null, { host }: Config): string {
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
