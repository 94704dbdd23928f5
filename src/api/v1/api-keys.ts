import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../domain/shared/ports.ts';
import type { ApiKeyService } from '../../services/access/api-key-service.ts';
import { change, create, list, one, remove } from '../endpoint.ts';
import {
  API_KEY_COLUMNS,
  ApiKeyCreate,
  ApiKeyResponse,
  ApiKeyUpdate,
  IssuedApiKeyResponse,
  RotationCreate,
  toApiKeyChanges,
  toApiKeyDraft,
} from '../schemas/api-key.ts';
import { IdParams } from '../schemas/common.ts';

const tag = 'access';
const answer = { schema: ApiKeyResponse, description: 'The key, without its text.' };

type Services = Readonly<{ apiKeys: ApiKeyService; clock: Clock }>;

export function apiKeyRoutes(routes: FastifyInstance, { apiKeys, clock }: Services): void {
  list(routes, '/api-keys', {
    tag,
    id: 'listApiKeys',
    scope: 'keys:read',
    summary: 'List API keys, by id',
    description: 'Those of your schools alone; revoked and expired ones too.',
    row: ApiKeyResponse,
    filter: () => ({}),
    order: ['id'],
    page: async (actor, _filter, page, count) => await apiKeys.list(actor, page, count),
    rows: async (actor) => await apiKeys.stream(actor),
    columns: API_KEY_COLUMNS,
    fileName: () => 'api-keys',
  });

  create(routes, '/api-keys', {
    tag,
    id: 'createApiKey',
    scope: 'keys:write',
    summary: 'Make an API key',
    description:
      'It may do no more than whoever makes it. The answer is the only place where it can be read: a repeat is refused and makes none.',
    refusals: ['school_not_found', 'grant_exceeds_own'],
    answer: { schema: IssuedApiKeyResponse, description: 'The new key.' },
    body: ApiKeyCreate,
    run: async ({ actor, body }, key) => await apiKeys.create(actor, toApiKeyDraft(body, clock.now()), key),
    location: '/api-keys/:id',
  });

  one(routes, '/api-keys/:id', {
    tag,
    id: 'getApiKey',
    scope: 'keys:read',
    summary: 'Get an API key',
    refusals: ['api_key_not_found'],
    answer,
    isConditional: true,
    params: IdParams,
    json: async ({ actor, params: { id } }) => await apiKeys.findJson(actor, id),
  });

  change(routes, '/api-keys/:id', {
    tag,
    id: 'updateApiKey',
    scope: 'keys:write',
    summary: 'Change an API key',
    description: 'What is absent stays as it is. Within three seconds it counts everywhere.',
    refusals: ['api_key_not_found', 'api_key_revoked', 'school_not_found', 'grant_exceeds_own'],
    answer,
    params: IdParams,
    body: ApiKeyUpdate,
    run: async ({ actor, params: { id }, body }) => await apiKeys.update(actor, id, toApiKeyChanges(body, clock.now())),
  });

  remove(routes, '/api-keys/:id', {
    tag,
    id: 'revokeApiKey',
    scope: 'keys:write',
    summary: 'Revoke an API key',
    description: 'For good, within three seconds everywhere. It stays on record.',
    refusals: ['api_key_not_found', 'api_key_revoked'],
    answer: 'Revoked.',
    params: IdParams,
    run: async ({ actor, params: { id } }) => await apiKeys.revoke(actor, id),
  });

  create(routes, '/api-keys/:id/rotation', {
    tag,
    id: 'rotateApiKey',
    scope: 'keys:write',
    summary: 'Replace an API key by a new one of the same rights',
    description:
      'The new one is the same principal: what was done under an `Idempotency-Key` before is not done again. A repeat is refused and rotates nothing.',
    refusals: ['api_key_not_found', 'api_key_revoked', 'grant_exceeds_own'],
    answer: { schema: IssuedApiKeyResponse, description: 'The key, with its new text.' },
    params: IdParams,
    body: RotationCreate,
    run: async ({ actor, params: { id }, body: { overlap_seconds: seconds } }, key) =>
      await apiKeys.rotate(actor, { id, overlapMs: seconds * 1_000 }, key),
    location: '/api-keys/:id',
  });
}
