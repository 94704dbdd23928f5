import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HttpError } from '../problems.ts';
import { onClosed } from './on-closed.ts';

/** Places for answers that each hold a connection to the database until they are read. */
export interface LongAnswers {
  /** Takes a place of the caller's share; undefined when there was none in time. */
  enter(caller: string): Promise<(() => void) | undefined>;
}

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * Waits until its caller may have one more long answer, which this is until it is over. Call it before anything is
     * held for that.
     *
     * @throws HttpError `overloaded`
     */
    beginLongAnswer(reply: FastifyReply): Promise<void>;
  }
}

/**
 * Gives each caller a share of the long answers there can be at once: who reads many of them slowly waits for their own,
 * and others do not.
 */
export function shareLongAnswers(
  app: FastifyInstance,
  { places, callerOf }: { places: LongAnswers; callerOf(request: FastifyRequest): string },
): void {
  app.decorateRequest('beginLongAnswer', async function (this: FastifyRequest, reply: FastifyReply): Promise<void> {
    const leave = await places.enter(callerOf(this));
    if (leave === undefined) throw new HttpError('overloaded', 'You read as many long answers at once as you may');
    onClosed(reply.raw, leave);
    // Nobody reads this: whose client left meanwhile begins nothing.
    if (reply.raw.destroyed) throw new HttpError('overloaded', 'The client has left');
  });
}
