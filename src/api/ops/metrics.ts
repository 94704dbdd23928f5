import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { onClosed } from '../edge/load/on-closed.ts';
import { roundMs } from '../edge/request-log.ts';
import { addOnRequest, isBelow, isRead } from '../edge/route-hooks.ts';
import { KEY_CODES, NEEDS_KEY, serviceDocs } from '../openapi.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whether the client has the whole answer. */
    isAnswered: boolean;
  }
}

/** Where requests are counted, and shown. */
export interface Metrics {
  /** The meter of one route, asked for once. */
  route(methods: string | readonly string[], pattern: string): (status: number, ms: number) => void;
  paymentAnswered(method: unknown, result: 'recorded' | 'replayed' | 'refused' | 'failed'): void;
  requestShed(what: string): void;
  requestLimited(): void;
  requestAborted(what: 'reads' | 'writes'): void;
  connectionCut(why: string): void;
  readonly contentType: string;
  expose(): Promise<string>;
}

/** What health, documentation and metrics are counted as, together: nobody tunes them. */
const SERVICE = 'service';
/** Both ways to record a payment. */
const PAYMENT_ROUTES = /\/payments$/;

/**
 * Counts every answer under its route's pattern, never under its address: ids that are crawled make no new series.
 * Routes are known when they are registered, so a request costs two additions and no look-up.
 */
export function countRequests(
  app: FastifyInstance,
  of: { prefix: string; metrics: Metrics; log: { info(facts: object, event: string): void } },
): void {
  const { prefix, metrics, log } = of;
  app.decorateRequest('isAnswered', false);
  app.addHook('onRoute', (route) => {
    const { method, url } = route;
    const count = metrics.route(method, isBelow(prefix, route) ? url : SERVICE);
    const isPayment = method === 'POST' && PAYMENT_ROUTES.test(url);
    const hook = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
      request.isAnswered = true;
      count(reply.statusCode, reply.elapsedTime);
      if (isPayment) countPayment(metrics, request, reply);
      done();
    };
    route.onResponse = [route.onResponse ?? [], hook].flat();
    const what = isRead(method) ? 'reads' : 'writes';
    // A client that leaves gets no answer, so no hook is told: neither a count nor a line in the log would be left of it.
    addOnRequest(route, (request, reply, done) => {
      onClosed(reply.raw, () => {
        if (request.isAnswered) return;
        metrics.requestAborted(what);
        const facts = { request_id: request.id, method: request.method, route: url };
        log.info({ ...facts, ms: roundMs(reply.elapsedTime) }, 'request_aborted');
      });
      done();
    });
  });
  const countUnknown = metrics.route([], '');
  app.addHook('onResponse', (request, reply, done) => {
    if (request.is404) countUnknown(reply.statusCode, reply.elapsedTime);
    done();
  });
}

function countPayment(metrics: Metrics, { body }: FastifyRequest, reply: FastifyReply): void {
  const method = typeof body === 'object' && body !== null && 'method' in body ? body.method : null;
  const { statusCode: status } = reply;
  const succeeded = reply.hasHeader('idempotency-hit') ? 'replayed' : 'recorded';
  metrics.paymentAnswered(method, status < 400 ? succeeded : status < 500 ? 'refused' : 'failed');
}

/** GET /metrics for Prometheus, behind the key: how much a school is paid is nobody's business. */
export function metricsRoute(app: FastifyInstance, metrics: Metrics): void {
  const schema = serviceDocs(
    {
      tag: 'service',
      scope: 'root',
      id: 'getMetrics',
      summary: 'Figures for Prometheus',
      description: 'Requests, payments, database connections and the process itself, in the text format of Prometheus.',
      refusals: [...KEY_CODES, 'rate_limited'],
      success: { status: 200, content: { 'text/plain': { schema: Type.String() } }, description: 'The figures.' },
    },
    NEEDS_KEY,
  );
  app.get('/metrics', { config: { scope: 'root' }, schema }, async (_request, reply) => {
    const text = await metrics.expose();
    return await reply.type(metrics.contentType).send(text);
  });
}
