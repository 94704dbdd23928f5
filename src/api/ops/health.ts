import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { UnavailableError } from '../../domain/shared/errors.ts';
import { serviceDocs } from '../openapi.ts';
import { oneOf } from '../schemas/common.ts';

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

const Health = Type.Object({ status: oneOf(['healthy'], { examples: ['healthy'] }) }, { $id: 'Health' });
const Ready = Type.Object({ status: oneOf(['ready'], { examples: ['ready'] }) }, { $id: 'Readiness' });

const HEALTHY = JSON.stringify({ status: 'healthy' });

export function healthRoutes(app: FastifyInstance, readiness: Readiness): void {
  const probe = { scope: 'open', isProbe: true } as const;
  app.get(
    '/health',
    {
      config: probe,
      schema: serviceDocs({
        tag: 'service',
        scope: 'open',
        id: 'getHealth',
        summary: 'Whether the process lives',
        description: 'Touches no database, needs no key, and is never refused for load.',
        success: { status: 200, schema: Health, description: 'It does.' },
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
      schema: serviceDocs({
        tag: 'service',
        scope: 'open',
        id: 'getReadiness',
        summary: 'Whether the service can work',
        description: 'The database answers, and its schema is the one this version needs. Needs no key.',
        refusals: ['database_unavailable'],
        success: { status: 200, schema: Ready, description: 'It can.' },
      }),
    },
    async (_request, reply) => {
      const state = await readiness.check();
      if (state.ready) return await reply.send({ status: 'ready' });
      throw new UnavailableError('database_unavailable', state.reason);
    },
  );
}
