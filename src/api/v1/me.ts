import type { FastifyInstance } from 'fastify';
import { shortestOf } from '../../domain/access/scopes.ts';
import { one } from '../endpoint.ts';
import { MeResponse } from '../schemas/api-key.ts';

export function meRoute(routes: FastifyInstance): void {
  one(routes, '/me', {
    tag: 'access',
    id: 'getMe',
    scope: 'principal',
    isForLinks: true,
    summary: 'Who asks, and what they may do',
    description: 'Whatever the key may do, it may ask this.',
    answer: { schema: MeResponse, description: 'The principal.' },
    json: async ({ actor, request: { identity } }) => {
      const { kind, schools, scopes } = actor;
      return {
        kind,
        name: typeof identity === 'object' ? identity.name : '',
        school_ids: kind === 'link' ? [actor.family.schoolId] : schools === 'all' ? null : schools,
        scopes: shortestOf(scopes),
        family_id: kind === 'link' ? actor.family.id : null,
      };
    },
  });
}
