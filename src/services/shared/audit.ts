import type { Actor } from '../../domain/access/actor.ts';
import {
  type AuditEntry,
  changesForAudit,
  isList,
  isObject,
  type Json,
  type JsonObject,
  maskedForAudit,
} from '../../domain/access/audit.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { type DomainEvent, factsOf, type Outcome, snakeCase } from './events.ts';

/** What was done in a transaction, and what its audit entry is made of. */
export type Done<Event extends DomainEvent> = Outcome<Event> &
  Readonly<{
    /** What was changed or deleted, as the API showed it before, as JSON text. Absent for what was made. */
    before?: string | undefined;
    /** The statement that did it has kept the entry. */
    isAudited?: boolean;
  }>;

/** Something was done, for sure. */
export type Changed<Event extends DomainEvent> = Done<Event> & Readonly<{ event: Event }>;

/** Changes something, and keeps who did, in one transaction: whoever finds the one finds the other. */
export async function changeAudited<Event extends DomainEvent>(
  unitOfWork: UnitOfWork,
  { actor, now }: Readonly<{ actor: Actor; now: Date }>,
  work: (repositories: Repositories) => Promise<Changed<Event>>,
): Promise<Readonly<{ body: string; event: Event }>> {
  return await unitOfWork.transaction(async (repositories) => {
    const { event, ...done } = await work(repositories);
    await keepEntry(actor, repositories, { ...done, event }, now);
    return { body: done.body, event };
  });
}

/** Keeps who did it, in the transaction that does. Nothing is kept where nothing happened. */
export async function keepEntry<Event extends DomainEvent>(
  actor: Actor,
  repositories: Repositories,
  done: Done<Event>,
  now: Date,
): Promise<void> {
  if (done.event === undefined || done.isAudited === true) return;
  const { event } = done;
  await repositories.audit.insert(actor, await entryOf(repositories, { ...done, event }), now);
}

/** What whoever asked is told of what was done. */
export function outcomeOf<Event extends DomainEvent>({ body, event }: Done<Event>): Outcome<Event> {
  return event === undefined ? { body } : { body, event };
}

async function entryOf({ users }: Repositories, { event, body, before }: Changed<DomainEvent>): Promise<AuditEntry> {
  const told = toldOf(event);
  const was = before === undefined ? null : parse(before);
  const is = body === '' ? null : parse(body);
  const schoolId =
    'schoolId' in event && event.schoolId !== undefined
      ? event.schoolId
      : await schoolOf(users, event, [was, is, told]);
  const object = objectOf(event);
  const [kind = ''] = object.split(':');
  const entry = { schoolId, action: event.type, object };
  if (was !== null && is !== null) return { ...entry, ...changesForAudit(kind, was, is) };
  if (was !== null) return { ...entry, before: maskedForAudit(kind, was), after: null };
  return { ...entry, before: null, after: is === null ? told : maskedForAudit(kind, is, told) };
}

/** The facts of an event by the names they have in the API, also within them. */
function toldOf(event: DomainEvent): JsonObject {
  return inSnakeCase(parse(JSON.stringify(Object.fromEntries(factsOf(event)))));
}

function inSnakeCase(object: JsonObject): JsonObject {
  const named = (value: Json): Json => {
    if (isList(value)) return value.map(named);
    return isObject(value) ? inSnakeCase(value) : value;
  };
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [snakeCase(name), named(value)]));
}

function parse(json: string): JsonObject {
  return JSON.parse(json);
}

/** Ids of what events are about: of what belongs to another, before the id of the other. */
const SUBJECT_IDS = `apiKeyId userId refundId creditNoteId closingId billingRunId enrolmentId periodId conceptId planId
  discountId lateFeePolicyId paymentId invoiceId guardianId studentId linkId familyId schoolId`.split(/\s+/);

/** Such as `invoice:12`; `session` for who was nobody we know. */
function objectOf(event: DomainEvent): string {
  if (event.type === 'personal_data_exported') return event.of;
  const ids = new Map<string, unknown>(Object.entries(event));
  const name = SUBJECT_IDS.find((one) => typeof ids.get(one) === 'number');
  return name === undefined ? 'session' : `${snakeCase(name.slice(0, -'Id'.length))}:${ids.get(name)}`;
}

/** The school that keys or users are of, if it is one: who moves from one to another is of both, before and after. */
async function schoolOf(
  users: Repositories['users'],
  event: DomainEvent,
  resources: readonly (JsonObject | null)[],
): Promise<number | null> {
  const named = resources.flatMap((resource) => [...listIn(resource, 'school_ids'), ...schoolsIn(resource)]);
  const [first] = named;
  if (first === undefined) return await findOnlySchool(users, event);
  return typeof first === 'number' && named.every((one) => one === first) ? first : null;
}

function schoolsIn(resource: JsonObject | null): Json[] {
  return listIn(resource, 'memberships').map((one) => (isObject(one) ? (one['school_id'] ?? null) : null));
}

function listIn(resource: JsonObject | null, name: string): readonly Json[] {
  const value = resource?.[name];
  return value !== undefined && isList(value) ? value : [];
}

async function findOnlySchool(users: Repositories['users'], event: DomainEvent): Promise<number | null> {
  // Nobody must be able to tell by the time it takes whether somebody has the e-mail.
  if (event.type === 'sign_in_refused') return null;
  return 'userId' in event && event.userId !== null ? await users.findOnlySchool(event.userId) : null;
}
