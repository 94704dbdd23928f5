import type { FastifyInstance } from 'fastify';
import { UnavailableError } from '../../domain/shared/errors.ts';
import { readDocs } from '../openapi.ts';
import { Type } from '../schemas/type.ts';

/** Whether the service can do its work: the database answers and its schema is the one this version knows. */
export interface Readiness {
  check(): Promise<{ ready: true } | { ready: false; reason: string }>;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Asked by machines all the time. */
    isProbe?: boolean;
  }
}

const HEALTHY = JSON.stringify({ status: 'healthy' });

export function healthRoutes(app: FastifyInstance, readiness: Readiness): void {
  const probe = { isOpen: true, isProbe: true };
  app.get(
    '/health',
    {
      config: probe,
      schema: readDocs({
        tag: 'service',
        id: 'getHealth',
        summary: 'Whether the process lives. Touches no database.',
        success: {
          status: 200,
          schema: Type.Object({ status: Type.String({ examples: ['healthy'] }) }),
          description: 'It does.',
        },
      }),
    },
    (_request, reply) => {
      reply.type('application/json; charset=utf-8').send(HEALTHY);
    },
  );
  app.get(
    '/health/ready',
    {
      config: probe,
      schema: readDocs({
        tag: 'service',
        id: 'getReadiness',
        summary: 'Whether the service can work: database and schema are usable.',
        success: {
          status: 200,
          schema: Type.Object({ status: Type.String({ examples: ['ready'] }) }),
          description: 'It can.',
        },
      }),
    },
    async (_request, reply) => {
      const state = await readiness.check();
      if (state.ready) return await reply.send({ status: 'ready' });
      throw new UnavailableError('database_unavailable', state.reason);
    },
  );
}
