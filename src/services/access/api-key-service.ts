import type { Actor, Grant } from '../../domain/access/actor.ts';
import {
  type ApiKey,
  type ApiKeyChanges,
  type ApiKeyDraft,
  assertGrantable,
  assertNotRevoked,
} from '../../domain/access/api-key.ts';
import type { ApiKeyEvent } from '../../domain/access/events.ts';
import { scopesOf, shortestOf } from '../../domain/access/scopes.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { accountNotFound } from '../shared/account-not-found.ts';
import { type Changed, changeAudited } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';
import type { ApiKeyVerifier } from './api-key-verifier.ts';
import { digestOf, makeKey, startOf } from './key-text.ts';

/** Keys of the API: made, changed, rotated, revoked. None is ever deleted, so that what it did can be told. */
export class ApiKeyService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #verifier: ApiKeyVerifier;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log; verifier: ApiKeyVerifier }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#verifier = dependencies.verifier;
  }

  /** Keys by id, revoked and expired ones too. */
  async list(actor: Actor, page: PageRequest, count: CountMode): Promise<Listing> {
    return await listing(count, {
      read: async () => await this.#unitOfWork.read(async ({ apiKeys }) => await apiKeys.list(actor, page)),
      total: async () => await this.#unitOfWork.read(async ({ apiKeys }) => await apiKeys.count(actor)),
    });
  }

  async stream(actor: Actor): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, ({ apiKeys }, batchSize) =>
      apiKeys.stream(actor, batchSize),
    );
  }

  /** @throws DomainError `api_key_not_found` */
  async findJson(actor: Actor, id: number): Promise<string> {
    const json = await this.#unitOfWork.read(async ({ apiKeys }) => await apiKeys.findJson(actor, id));
    if (json === undefined) throw notFound(id);
    return json;
  }

  /**
   * Makes a key. The answer is the only place where it can be read: also its idempotency key keeps none.
   *
   * @throws DomainError `school_not_found`, `grant_exceeds_own`, or a refusal of {@link createOnce}
   */
  async create(actor: Actor, draft: ApiKeyDraft, key: IdempotencyKey | null): Promise<Outcome<ApiKeyEvent>> {
    const now = this.#clock.now();
    return await this.#issue(actor, key, now, async (repositories, secret) => {
      const made = shortened(draft);
      await this.#assertGrantable(actor, repositories, made);
      const { body, apiKeyId } = await repositories.apiKeys.insert(actor, made, secret, now);
      return { body, event: { type: 'api_key_created', apiKeyId } };
    });
  }

  /**
   * Replaces a key by a new one of the same rights, whose principal is the same. Those before it are taken for
   * `overlapMs` more; with 0 no longer.
   *
   * @throws DomainError `api_key_not_found`, `api_key_revoked`, `grant_exceeds_own`, or a refusal of {@link createOnce}
   */
  async rotate(
    actor: Actor,
    { id, overlapMs }: Readonly<{ id: number; overlapMs: number }>,
    key: IdempotencyKey | null,
  ): Promise<Outcome<ApiKeyEvent>> {
    const now = this.#clock.now();
    const until = new Date(now.getTime() + overlapMs);
    return await this.#forgetting(id, async () =>
      this.#issue(actor, key, now, async ({ apiKeys }, secret) => {
        const key = await apiKeys.findForUpdate(actor, id);
        const before = await apiKeys.findJson(actor, id);
        if (key === undefined) throw notFound(id);
        assertNotRevoked(key);
        assertGrantable(actor, grantOf(key));
        const body = await apiKeys.updateSecret(actor, key, secret, until, now);
        return { before, body, event: { type: 'api_key_rotated', apiKeyId: id } };
      }),
    );
  }

  /**
   * Changes what `changes` names; nothing at all when it names nothing.
   *
   * @throws DomainError `api_key_not_found`, `api_key_revoked`, `school_not_found`, `grant_exceeds_own`
   */
  async update(actor: Actor, id: number, changes: ApiKeyChanges): Promise<Outcome<ApiKeyEvent>> {
    if (Object.keys(changes).length === 0) return { body: await this.findJson(actor, id) };
    return await this.#change(actor, id, 'api_key_updated', async (before, repositories) => {
      const after = shortened({ ...before, ...changes });
      // Also of what it had before: who may not give it must not make it live longer either.
      assertGrantable(actor, grantOf(before));
      await this.#assertGrantable(actor, repositories, after);
      return await repositories.apiKeys.update(actor, after, this.#clock.now());
    });
  }

  /** Takes a key back, for good. @throws DomainError `api_key_not_found`, `api_key_revoked` */
  async revoke(actor: Actor, id: number): Promise<Outcome<ApiKeyEvent>> {
    return await this.#change(actor, id, 'api_key_revoked', async (before, { apiKeys }) => {
      return await apiKeys.updateRevoked(actor, before, this.#clock.now());
    });
  }

  async #issue(
    actor: Actor,
    key: IdempotencyKey | null,
    now: Date,
    make: (
      repositories: Repositories,
      secret: Readonly<{ digest: string; start: string }>,
    ) => Promise<Changed<ApiKeyEvent>>,
  ): Promise<Outcome<ApiKeyEvent>> {
    const outcome = await createOnce<ApiKeyEvent>(this.#unitOfWork, {
      actor,
      key,
      now,
      isSecret: true,
      inTransaction: async (repositories) => {
        const secret = makeKey();
        const made = await make(repositories, { digest: digestOf(secret), start: startOf(secret) });
        return { ...made, body: `${made.body.slice(0, -1)},"key":${JSON.stringify(secret)}}` };
      },
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** What belongs to another school does not exist, so it comes before what is there and not one's own to give. */
  async #assertGrantable(actor: Actor, { schools }: Repositories, draft: ApiKeyDraft): Promise<void> {
    const { schoolIds } = draft;
    const there = new Set(schoolIds === null ? [] : await schools.listIds(actor, schoolIds));
    const absent = schoolIds?.find((id) => !there.has(id));
    if (absent !== undefined) throw accountNotFound({ kind: 'school', id: absent });
    assertGrantable(actor, grantOf(draft));
  }

  /** Also where it failed: it may have been done all the same. */
  async #forgetting<T>(id: number, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      this.#verifier.forget(id);
    }
  }

  async #change(
    actor: Actor,
    id: number,
    type: ApiKeyEvent['type'],
    decide: (before: ApiKey, repositories: Repositories) => Promise<string>,
  ): Promise<Outcome<ApiKeyEvent>> {
    const now = this.#clock.now();
    const outcome = await this.#forgetting(id, async () =>
      changeAudited<ApiKeyEvent>(this.#unitOfWork, { actor, now }, async (repositories) => {
        const key = await repositories.apiKeys.findForUpdate(actor, id);
        const before = await repositories.apiKeys.findJson(actor, id);
        if (key === undefined) throw notFound(id);
        assertNotRevoked(key);
        return { before, body: await decide(key, repositories), event: { type, apiKeyId: id } };
      }),
    );
    announce(this.#log, outcome.event);
    return outcome;
  }
}

function grantOf({ schoolIds, scopes }: ApiKeyDraft): Grant {
  return { schools: schoolIds ?? 'all', scopes: scopesOf(...scopes) };
}

/** Each school and scope once, and no scope that another includes. */
function shortened<T extends ApiKeyDraft>(draft: T): T {
  const schoolIds = draft.schoolIds === null ? null : [...new Set(draft.schoolIds)].sort((a, b) => a - b);
  return { ...draft, schoolIds, scopes: shortestOf(scopesOf(...draft.scopes)) };
}

function notFound(id: number): DomainError {
  return new DomainError('api_key_not_found', `API key with id ${id} not found`);
}
