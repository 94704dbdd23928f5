import type { Actor } from '../../domain/access/actor.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock } from '../../domain/shared/ports.ts';
import type { AuditFilter } from '../../repositories/access/audit-repository.ts';
import type { UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';

/** Who did what: the audit log, newest first. */
export class AuditService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
  }

  async list(actor: Actor, filter: AuditFilter, page: PageRequest, count: CountMode): Promise<Listing> {
    return await listing(count, {
      read: async () => await this.#unitOfWork.read(async ({ audit }) => await audit.list(actor, filter, page)),
      total: async () => await this.#unitOfWork.read(async ({ audit }) => await audit.count(actor, filter)),
    });
  }

  /** Every entry the filter matches. */
  async stream(actor: Actor, filter: AuditFilter): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, ({ audit }, batchSize) =>
      audit.stream(actor, filter, batchSize),
    );
  }
}
