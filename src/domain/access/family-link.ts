import { DomainError } from '../shared/errors.ts';
import { type Actor, covers, type Grant } from './actor.ts';
import { scopesOf } from './scopes.ts';

/** What whoever has a family's address may read, of that family alone. */
const SCOPES_OF_LINKS = scopesOf('families:read', 'students:read', 'invoices:read', 'payments:read', 'reports:read');

export type FamilyLink = Readonly<{ id: number; familyId: number; schoolId: number }>;

/** What happened to a family's address. */
export type FamilyLinkEvent = Readonly<{
  type: 'family_link_created' | 'family_link_revoked';
  linkId: number;
  familyId: number;
  schoolId: number;
}>;

/** Whoever signed in with the link: sees no school, and of one the family. */
export function actorOfLink({ id, familyId, schoolId }: FamilyLink): Actor {
  return {
    principalId: principalIdOfLink(id),
    kind: 'link',
    schools: [],
    family: { id: familyId, schoolId },
    scopes: SCOPES_OF_LINKS,
  };
}

/** What names a link as a principal. */
export function principalIdOfLink(id: number): string {
  return `link ${id}`;
}

/**
 * Nobody gives away more than they have: who makes a family's address may read what it shows.
 *
 * @throws DomainError `grant_exceeds_own`
 */
export function assertMayLink(actor: Actor, schoolId: number): void {
  const grant: Grant = { schools: [schoolId], scopes: SCOPES_OF_LINKS };
  if (covers(actor, grant)) return;
  throw new DomainError('grant_exceeds_own', 'The address would show what you may not read yourself');
}
