import { DomainError } from '../shared/errors.ts';
import { type Actor, covers, type Grant, sees } from './actor.ts';
import { ROLES, type Role } from './roles.ts';

export const LOCALES = ['en', 'es', 'pt'] as const;
export type UserLocale = (typeof LOCALES)[number];

/** What somebody is where. `schoolId` null: in all schools, also in those that are yet to come. */
export type Membership = Readonly<{ schoolId: number | null; role: Role }>;

export type User = Readonly<{ id: number; isActive: boolean; memberships: readonly Membership[] }>;

export type NewUser = Readonly<{
  email: string;
  name: string;
  locale: UserLocale;
  memberships: readonly Membership[];
}>;

export type UserChanges = Readonly<Partial<Omit<NewUser, 'email'> & { isActive: boolean }>>;

/** What the membership is worth. */
export function grantOf({ schoolId, role }: Membership): Grant {
  return { schools: schoolId === null ? 'all' : [schoolId], scopes: ROLES[role] };
}

/** Whether the membership exists for the actor: one of all schools only for who sees all of them. */
export function seesMembership(actor: Actor, { schoolId }: Membership): boolean {
  return schoolId === null ? actor.schools === 'all' : sees(actor, schoolId);
}

/**
 * Nobody grants more than they have, nor takes it away.
 *
 * @throws DomainError `school_not_found` of a school that does not exist for the actor, `grant_exceeds_own`
 */
export function assertMayGrant(actor: Actor, memberships: readonly Membership[]): void {
  for (const membership of memberships) {
    const { schoolId, role } = membership;
    if (schoolId !== null && !sees(actor, schoolId)) {
      throw new DomainError('school_not_found', `School with id ${schoolId} not found`);
    }
    if (!covers(actor, grantOf(membership))) {
      throw new DomainError(
        'grant_exceeds_own',
        `The role ${role} ${placeOf(schoolId)} is more than you have yourself`,
      );
    }
  }
}

/**
 * An account without any role exists only for who sees all schools: nobody else could ever give it one, or take it away.
 *
 * @throws DomainError `grant_exceeds_own`
 */
export function assertMayMake(actor: Actor, memberships: readonly Membership[]): void {
  if (memberships.length > 0 || actor.schools === 'all') return;
  throw new DomainError('grant_exceeds_own', 'A user without a role in one of your schools would not exist for you');
}

/**
 * What is done to a whole account (its name, its password, whether it is let in) is done in every school it has a role in.
 *
 * @throws DomainError `grant_exceeds_own`
 */
export function assertMayManage(actor: Actor, { id, memberships }: User): void {
  if (memberships.every((membership) => covers(actor, grantOf(membership)))) return;
  throw new DomainError('grant_exceeds_own', `User ${id} may do more than you may yourself`);
}

/** Each school once. @throws DomainError `membership_repeated` */
export function assertEachSchoolOnce(memberships: readonly Membership[]): void {
  const schools = new Set<number | null>();
  for (const { schoolId } of memberships) {
    if (schools.has(schoolId)) {
      throw new DomainError('membership_repeated', `There are two roles ${placeOf(schoolId)}`);
    }
    schools.add(schoolId);
  }
}

/** Those of `next` that are new and those of `before` that are gone: what a change of memberships gives and takes. */
export function changedMemberships(before: readonly Membership[], next: readonly Membership[]): Membership[] {
  const has = (all: readonly Membership[], { schoolId, role }: Membership): boolean =>
    all.some((one) => one.schoolId === schoolId && one.role === role);
  return [...next.filter((one) => !has(before, one)), ...before.filter((one) => !has(next, one))];
}

function placeOf(schoolId: number | null): string {
  return schoolId === null ? 'in all schools' : `in school ${schoolId}`;
}
