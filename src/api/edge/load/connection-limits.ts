import type { FastifyInstance } from 'fastify';
import { HttpError } from '../problems.ts';

/** How long and how much a client may take. Tests shorten the times; nobody else has a reason to. */
export type ConnectionLimits = Readonly<{
  /** For a request to arrive: its headers, and all of it. Then 408, and the connection is closed. */
  headersTimeoutMs: number;
  requestTimeoutMs: number;
  /** How often the two above are looked at, so by how much they may be late. */
  checkEveryMs: number;
  /** A connection on which nothing moves although something should, such as an answer that nobody reads. */
  idleTimeoutMs: number;
  /** A connection between two requests. Longer than balancers keep theirs (60 s), so that they close first. */
  keepAliveTimeoutMs: number;
  /** Of all header lines together; then 431. */
  headersBytesMax: number;
  bodyBytesMax: number;
  /** Beyond it an address with more connections gives one up for a new one of another. An idle one costs about 12 KB. */
  connectionsMax: number;
  /** Of one address, half of all by default. Beyond it a new one takes the place of one that is of less use. */
  connectionsPerAddressMax: number;
  /** Clients take their answers at least this fast, piece by piece, with so much time more for each piece. */
  answerBytesPerSecondMin: number;
  slowGraceMs: number;
  /** Requests held on a connection until the answers before them are sent. One more gets 429, and ends the connection. */
  pipelinedMax: number;
}>;

export const CONNECTION_LIMITS: ConnectionLimits = {
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 30_000,
  checkEveryMs: 2_000,
  idleTimeoutMs: 60_000,
  keepAliveTimeoutMs: 65_000,
  headersBytesMax: 16 * 1024,
  bodyBytesMax: 64 * 1024,
  connectionsMax: 2_048,
  connectionsPerAddressMax: 1_024,
  answerBytesPerSecondMin: 16 * 1024,
  slowGraceMs: 5_000,
  pipelinedMax: 256,
};

/** A peer that vanished without a word is asked after so long, by TCP itself. */
const TCP_KEEP_ALIVE_AFTER_MS = 30_000;

/** The part of Fastify's options that is about connections. */
export function connectionOptions(limits: ConnectionLimits) {
  return {
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestTimeoutMs,
    connectionTimeout: limits.idleTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    http: {
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: limits.checkEveryMs,
      maxHeaderSize: limits.headersBytesMax,
      // Node's own refusal is an empty answer; answerForNode does it.
      requireHostHeader: false,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_AFTER_MS,
    },
  };
}

/** While the process stops, every answer ends its connection, so that none is left to break when the server goes. */
export function closeWhileStopping(app: FastifyInstance, readiness: { readonly stopping: boolean }): void {
  app.addHook('onRequest', (_request, reply, done) => {
    if (readiness.stopping) reply.header('connection', 'close');
    done();
  });
}

/** Answers what Node would refuse by itself with an empty answer: a missing Host, and an Expect it does not know. */
export function answerForNode(app: FastifyInstance): void {
  app.addHook('onRequest', ({ raw, headers }, _reply, done) => {
    const isMissing = raw.httpVersion === '1.1' && headers.host === undefined;
    done(isMissing ? new HttpError('request_malformed', 'The Host header is missing') : undefined);
  });
  // RFC 9110, section 10.1.1: an expectation nobody knows may be ignored.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
}
