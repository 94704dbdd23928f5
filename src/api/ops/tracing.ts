import type { FastifyInstance } from 'fastify';

/** Where a request's span comes from. */
export interface RequestTracing {
  startRequest(request: { method: string; route: string; id: string; traceparent: unknown }): {
    run(work: () => void): void;
    end(status: number): void;
  };
}

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
  app.addHook('onRequest', (request, _reply, done) => {
    const { method, id, headers, routeOptions } = request;
    const route = routeOptions.url ?? 'unknown';
    request.traceSpan = tracing.startRequest({ method, route, id, traceparent: headers['traceparent'] });
    done();
  });
  // Not before: reading the body leaves the asynchronous context of whoever began to read it.
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.traceSpan === null) done();
    else request.traceSpan.run(done);
  });
  app.addHook('onResponse', (request, reply, done) => {
    request.traceSpan?.end(reply.statusCode);
    done();
  });
}
