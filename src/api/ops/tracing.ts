import type { FastifyInstance, FastifyRequest } from 'fastify';
import { onClosed } from '../edge/load/on-closed.ts';

/** Where a request's span comes from. */
export interface RequestTracing {
  startRequest(request: { method: string; route: string; id: string; traceparent: unknown }): {
    run(work: () => void): void;
    end(status: number): void;
  };
}

/** nginx's, for a client that closed the connection: no answer, but how it ended. */
const STATUS_ABANDONED = 499;

type RequestSpan = ReturnType<RequestTracing['startRequest']>;

declare module 'fastify' {
  interface FastifyRequest {
    traceSpan: RequestSpan | null;
  }
}

/** One span per request. Without tracing there are no hooks: it costs nothing. */
export function traceRequests(app: FastifyInstance, tracing: RequestTracing | null): void {
  if (tracing === null) return;
  app.decorateRequest('traceSpan', null);
  app.addHook('onRequest', (request, reply, done) => {
    const { method, id, headers, routeOptions } = request;
    const route = routeOptions.url ?? 'unknown';
    request.traceSpan = tracing.startRequest({ method, route, id, traceparent: headers['traceparent'] });
    onClosed(reply.raw, () => end(request, STATUS_ABANDONED));
    done();
  });
  // Not before: reading the body leaves the asynchronous context of whoever began to read it.
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.traceSpan === null) done();
    else request.traceSpan.run(done);
  });
  app.addHook('onResponse', (request, reply, done) => {
    end(request, reply.statusCode);
    done();
  });
}

function end(request: FastifyRequest, status: number): void {
  request.traceSpan?.end(status);
  request.traceSpan = null;
}
