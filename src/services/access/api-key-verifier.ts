import type { Actor } from '../../domain/access/actor.ts';
import { actorOfKey, type ValidApiKey } from '../../domain/access/api-key.ts';
import type { Clock } from '../../domain/shared/ports.ts';
import type { Batched, Batches } from '../../repositories/shared/batches.ts';
import type { UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { digestOf, isWellFormed } from './key-text.ts';

/** A key that is valid now, and for whom it speaks. */
export type VerifiedKey = Readonly<{ name: string; actor: Actor }>;

type Entry = Readonly<{ key: ValidApiKey; verified: VerifiedKey; readAtMs: number }>;

/** So long is a key believed to be what it was: what another process has revoked is let in here for so long. */
const LIFE_MS = 3_000;
/** A key that is in use is read again so long before: then nobody waits for it. */
const REFRESH_AFTER_MS = 1_000;
/** Keys remembered at once: of more, the ones read longest ago are forgotten. */
const KEYS_MAX = 1_000;
/** That a key was used is kept no more often. */
const LAST_USED_EVERY_MS = 60_000;

/**
 * Says whether a key is valid, and for whom it speaks; at once where it was asked the same a moment ago.
 *
 * A key that is revoked or changed in this process is so at once: see {@link forget}. In another one, which does not know,
 * it is within three seconds (docs/decisions/0053).
 */
export class ApiKeyVerifier {
  readonly #find: Batched<string, ValidApiKey>;
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #nowMs: () => number;
  /** By digest, those read longest ago first. */
  readonly #known = new Map<string, Entry>();
  readonly #refreshing = new Set<string>();
  /** Keys whose use is being kept. */
  readonly #telling = new Set<number>();
  /** Counts what was forgotten: what was asked before may be older than that. */
  #forgotten = 0;

  /** @param of.nowMs by a clock that is never set, else whoever sets it back makes keys live longer */
  constructor(of: { unitOfWork: UnitOfWork; batches: Batches; clock: Clock; nowMs?: () => number }) {
    this.#unitOfWork = of.unitOfWork;
    this.#clock = of.clock;
    this.#nowMs = of.nowMs ?? (() => performance.now());
    this.#find = of.batches.read(
      async ({ apiKeys }, digests) => await apiKeys.findValid(digests, of.clock.now()),
      // Who pays with a key waits for no list.
      { givesWay: false },
    );
  }

  /** Undefined for what is no key, or none any more. @throws UnavailableError, where it has to be looked up */
  verify(text: string): VerifiedKey | undefined | Promise<VerifiedKey | undefined> {
    if (!isWellFormed(text)) return undefined;
    const digest = digestOf(text);
    const entry = this.#known.get(digest);
    const ageMs = entry === undefined ? Number.POSITIVE_INFINITY : this.#nowMs() - entry.readAtMs;
    if (entry === undefined || ageMs >= LIFE_MS) return this.#read(digest);
    if (ageMs >= REFRESH_AFTER_MS) this.#refresh(digest);
    return this.#ifValid(entry);
  }

  /** The key as far as it is known without asking. */
  known(text: string): VerifiedKey | undefined {
    const entry = this.#known.get(digestOf(text));
    return entry !== undefined && this.#nowMs() - entry.readAtMs < LIFE_MS ? this.#ifValid(entry) : undefined;
  }

  /** Is to be told of every key that was revoked, changed or rotated, once that is committed. */
  forget(id: number): void {
    this.#forgotten += 1;
    for (const [digest, { key }] of this.#known) if (key.id === id) this.#known.delete(digest);
  }

  #ifValid({ key: { validUntil }, verified }: Entry): VerifiedKey | undefined {
    return validUntil === null || validUntil > this.#clock.now() ? verified : undefined;
  }

  #refresh(digest: string): void {
    if (this.#refreshing.has(digest)) return;
    this.#refreshing.add(digest);
    // Where it fails, the next request asks once the key's life is over, and is told why.
    void this.#read(digest)
      .catch(() => undefined)
      .finally(() => this.#refreshing.delete(digest));
  }

  async #read(digest: string): Promise<VerifiedKey | undefined> {
    const before = { forgotten: this.#forgotten, readAtMs: this.#nowMs() };
    const key = await this.#find(digest);
    this.#known.delete(digest);
    if (key === undefined) return undefined;
    const verified = { name: key.name, actor: actorOfKey(key) };
    if (before.forgotten === this.#forgotten) this.#remember(digest, { key, verified, readAtMs: before.readAtMs });
    this.#keepUse(key);
    return verified;
  }

  #remember(digest: string, entry: Entry): void {
    if (this.#known.size >= KEYS_MAX) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(digest, entry);
  }

  /** Nobody waits for it, and nothing depends on it: where the row is held or the disk is full, it is kept next time. */
  #keepUse({ id, lastUsedAt }: ValidApiKey): void {
    const now = this.#clock.now();
    const isRecent = lastUsedAt !== null && now.getTime() - lastUsedAt.getTime() < LAST_USED_EVERY_MS;
    if (isRecent || this.#telling.has(id)) return;
    this.#telling.add(id);
    void this.#unitOfWork
      .write(async ({ apiKeys }) => await apiKeys.updateLastUsed(id, now))
      .catch(() => undefined)
      .finally(() => this.#telling.delete(id));
  }
}
