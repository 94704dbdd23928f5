import type { FastifyReply } from 'fastify';

/** Says that the answer depends on this header of the request, beside those it was said of already. */
export function addVary(reply: FastifyReply, header: string): void {
  const before = reply.getHeader('vary');
  reply.header('vary', before === undefined ? header : `${String(before)}, ${header}`);
}
