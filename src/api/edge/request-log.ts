import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

export type RequestLog = Readonly<Record<'debug' | 'info', (facts: object, event: string) => void>>;

/** Logs every answer, by its route and never by its address: that may hold what does not belong in a log. */
export function logRequests(app: FastifyInstance, log: RequestLog): void {
  app.addHook('onResponse', (request, reply, done) => {
    logRequest(log, request, reply);
    done();
  });
}

/** The line of one request: for answers that no hook is told of. */
export function logRequest(log: RequestLog, { method, id, routeOptions }: FastifyRequest, reply: FastifyReply): void {
  const { statusCode: status } = reply;
  const route = routeOptions.url ?? null;
  const facts = { request_id: id, method, route, status, ms: roundMs(reply.elapsedTime) };
  // Balancers ask every second or two, of every process: that all is well would be most of the log.
  if (routeOptions.config.isProbe === true && status < 400) log.debug(facts, 'request_completed');
  else log.info(facts, 'request_completed');
}

/** To hundredths of a millisecond. */
export function roundMs(ms: number): number {
  return Math.round(ms * 100) / 100;
}
