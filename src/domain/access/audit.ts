/** JSON as it is read from text. Amounts in it are text. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [member: string]: Json };
export type JsonObject = Readonly<Record<string, Json>>;

/** What was done to what, as the audit log keeps it. */
export type AuditEntry = Readonly<{
  /** Null where it concerns no school, or several. */
  schoolId: number | null;
  /** What happened: the type of its event. */
  action: string;
  /** What it happened to, such as `invoice:12`. */
  object: string;
  /** What it was: of a change, the members that changed. Null where it was not there. */
  before: JsonObject | null;
  /** What it became. Null where it is no more. */
  after: JsonObject | null;
}>;

/**
 * Members that stand in the log with their values: money, days, states, ids, and what a school bills by. Every other one
 * stands there by its name alone: it may name a person, or be a secret. A member that is new is one of those, until it is
 * added here.
 */
const KEPT: ReadonlySet<string> = wordsOf(
  // Ids, and numbers of documents.
  `id number seq school_id school_ids student_id family_id guardian_id invoice_id payment_id credit_note_id refund_id
   closing_id concept_id period_id plan_id plan_ids plan_item_id discount_id enrolment_id late_fee_policy_id billing_run_id
   origin_invoice_id api_key_id user_id erasure_id link_id possible_duplicate_of`,
  // Money, and what money comes from.
  `amount amount_total currency total totals paid credited pending credit applied unapplied refunded allocated allocations
   opening invoiced collected reversed net_collected summary percent base rate tax_rate cap_percent cap_amount charges
   scholarships discounts taxes late_fees corrections lines items early_discounts steps`,
  // Days and instants.
  `issued_at issued_on due_date due_on issue_on until_on booked_on dated_on paid_at paid_on refunded_at refunded_on
   reversed_at reversed_on voided_at voided_on allocated_at through starts_on ends_on valid_from valid_to covers_from
   covers_to as_of started_at finished_at reopened_at erased_at expires_at revoked_at days_before_due from_day grace_days`,
  // States, kinds and settings of a school.
  `status settlement kind method category categories stacking proration from_child role is_active is_principal auto_apply
   memberships scopes has_signed_up country timezone locale code label invoice_prefix receipt_prefix credit_note_prefix
   refund_prefix`,
  // Counts.
  `counts created exists zero failed voided kept rows updated unchanged`,
);

/** What the system itself writes at every change, and what says nothing that the entry does not say. */
const LEFT_OUT: ReadonlySet<string> = new Set(['created_at', 'updated_at', 'last_used_at']);

/** Kinds of objects whose `name` is nobody's. */
const NAMED: ReadonlySet<string> = wordsOf('school period concept plan discount late_fee_policy');

/** What is written in the place of a value. */
type Mark = 'set' | 'changed';

/**
 * What of a resource that is made, or is gone, stands in the log.
 *
 * @param kind of the object, such as `invoice` @param resource as the API shows it
 * @param told members that may be told of it, whatever their names are: those of its event
 */
export function maskedForAudit(kind: string, resource: JsonObject, told: JsonObject = {}): JsonObject {
  const masked = Object.entries(maskedObject(kind, resource, 'set'));
  return Object.fromEntries(masked.map(([name, value]) => [name, told[name] ?? value]));
}

/** What of a change stands in the log: the members that are not what they were. */
export function changesForAudit(
  kind: string,
  before: JsonObject,
  after: JsonObject,
): { before: JsonObject; after: JsonObject } {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const changed = names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  const of = (resource: JsonObject, mark: Mark): JsonObject =>
    maskedObject(kind, Object.fromEntries(changed.map((name) => [name, resource[name] ?? null])), mark);
  return { before: of(before, 'set'), after: of(after, 'changed') };
}

function maskedObject(kind: string, resource: JsonObject, mark: Mark): JsonObject {
  const masked = maskedMembers(resource, mark);
  const { name } = resource;
  return NAMED.has(kind) && name !== undefined ? { ...masked, name } : masked;
}

function maskedMembers(resource: JsonObject, mark: Mark): JsonObject {
  const members = Object.entries(resource).filter(([name]) => !LEFT_OUT.has(name));
  return Object.fromEntries(members.map(([name, value]) => [name, maskedMember(name, value, mark)]));
}

function maskedMember(name: string, value: Json, mark: Mark): Json {
  if (KEPT.has(name)) return maskedWithin(value, mark);
  return value === null && mark === 'set' ? null : mark;
}

function maskedWithin(value: Json, mark: Mark): Json {
  if (isList(value)) return value.map((one) => maskedWithin(one, mark));
  return isObject(value) ? maskedMembers(value, mark) : value;
}

export function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

export function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wordsOf(...texts: readonly string[]): ReadonlySet<string> {
  return new Set(texts.flatMap((text) => text.split(/\s+/)));
}
