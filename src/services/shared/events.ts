import type { ApiKeyEvent } from '../../domain/access/events.ts';
import type { FamilyLinkEvent } from '../../domain/access/family-link.ts';
import type { PrivacyEvent, SessionEvent, UserEvent } from '../../domain/access/people-events.ts';
import type { FamilyEvent, GuardianEvent, SchoolEvent, StudentEvent } from '../../domain/accounts/events.ts';
import type { BillingEvent } from '../../domain/billing/events.ts';
import type { ImportEvent } from '../../domain/imports/import.ts';
import type { CatalogueEvent, EnrolmentWithdrawn } from '../../domain/plans/events.ts';
import type { BillingRunEvent } from '../../domain/plans/run-events.ts';
import type { ReportingEvent } from '../../domain/reporting/events.ts';
import type { Log } from '../../domain/shared/ports.ts';

/** Everything that can happen. */
export type DomainEvent =
  | ApiKeyEvent
  | SchoolEvent
  | StudentEvent
  | FamilyEvent
  | GuardianEvent
  | BillingEvent
  | CatalogueEvent
  | EnrolmentWithdrawn
  | ReportingEvent
  | PrivacyEvent
  | UserEvent
  | FamilyLinkEvent
  | SessionEvent
  | BillingRunEvent
  | ImportEvent;

/**
 * What a write answers: `body` is the resource as JSON text, as the API shows it. Without an event nothing happened: the
 * answer is that of an earlier request under the same key, or the change named nothing.
 */
export type Outcome<Event extends DomainEvent> = Readonly<{ body: string; event?: Event }>;

/** Lines that tell no school: they never did, and whoever reads them can look it up by the id they tell. */
const WITHOUT_SCHOOL: ReadonlySet<DomainEvent['type']> = new Set([
  'student_deleted',
  'invoice_updated',
  'invoice_voided',
  'credit_note_created',
  'payment_processed',
  'payment_reversed',
]);

/**
 * Tells what happened, once it is committed: the line is a claim that it did. The one place that makes something of events.
 *
 * @param event nothing is told of undefined
 */
export function announce(log: Log, event: DomainEvent | undefined): void {
  if (event === undefined) return;
  const { type } = event;
  const told = factsOf(event).filter(([name, fact]) =>
    name === 'school_id' ? !WITHOUT_SCHOOL.has(type) : name !== 'family_id' || fact !== null,
  );
  log.info(Object.fromEntries(told), type);
}

/** What an event tells, by the names it has in the API and in the log. */
export function factsOf({ type: _, ...facts }: DomainEvent): [string, unknown][] {
  return Object.entries(facts).map(([name, fact]) => [snakeCase(name), fact]);
}

export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
