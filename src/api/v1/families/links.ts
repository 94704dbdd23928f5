import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../../domain/shared/ports.ts';
import type { FamilyLinkService } from '../../../services/access/family-link-service.ts';
import { originOf } from '../../edge/sign-in/cookies.ts';
import { create, list, remove } from '../../endpoint.ts';
import { IdParams } from '../../schemas/common.ts';
import {
  FamilyLinkCreate,
  FamilyLinkResponse,
  IssuedFamilyLinkResponse,
  toLinkExpiry,
} from '../../schemas/families/link.ts';

const tag = 'families';

type Services = Readonly<{ familyLinks: FamilyLinkService; clock: Clock }>;

/** @param publicUrl where people reach this server; null: where the request was sent to */
export function familyLinkRoutes(
  routes: FastifyInstance,
  { familyLinks, clock }: Services,
  publicUrl: string | null,
): void {
  list(routes, '/families/:id/links', {
    tag,
    id: 'listFamilyLinks',
    scope: 'families:read',
    summary: 'List the addresses at which a family reads its account',
    description: 'Without their tokens; those that have expired too.',
    refusals: ['family_not_found'],
    row: FamilyLinkResponse,
    params: IdParams,
    filter: ({ params: { id: familyId } }) => ({ familyId }),
    order: ['id'],
    page: async (actor, { familyId }, page, count) => await familyLinks.listOfFamily(actor, familyId, page, count),
    rows: async (actor, { familyId }) => await familyLinks.streamOfFamily(actor, familyId),
    fileName: ({ familyId }) => `links-family-${familyId}`,
  });

  create(routes, '/families/:id/links', {
    tag,
    id: 'createFamilyLink',
    scope: 'families:write',
    summary: 'Make an address at which a family reads its account',
    description:
      'Whoever has it reads that family, its students, invoices, payments and statements, and nothing else. The answer is told once: a repeat under its `Idempotency-Key` is refused.',
    refusals: ['family_not_found', 'grant_exceeds_own'],
    answer: { schema: IssuedFamilyLinkResponse, description: 'The link, which is shown here alone.' },
    params: IdParams,
    body: FamilyLinkCreate,
    run: async ({ actor, params: { id: familyId }, body, request, reply }, key) => {
      reply.header('cache-control', 'no-store');
      const addressOf = (token: string): string => `${publicUrl ?? originOf(request)}/#link=${token}`;
      return await familyLinks.create(actor, { familyId, expiresAt: toLinkExpiry(body, clock.now()) }, addressOf, key);
    },
    location: ({ params: { id } }) => `/families/${id}/links`,
  });

  remove(routes, '/links/:id', {
    tag,
    id: 'revokeFamilyLink',
    scope: 'families:write',
    summary: "End a family's address, and every session that was opened with it",
    refusals: ['link_not_found'],
    answer: 'It is none any more.',
    params: IdParams,
    run: async ({ actor, params: { id } }) => await familyLinks.revoke(actor, id),
  });
}
