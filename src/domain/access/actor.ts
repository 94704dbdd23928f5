import { ROLES } from './roles.ts';
import { SCOPES, type Scope, type Scopes, scopesOf } from './scopes.ts';

/** Schools by id, or all there are and will be. */
export type Schools = 'all' | readonly number[];

/** What somebody may do, and in which schools. */
export type Grant = Readonly<{ schools: Schools; scopes: Scopes }>;

/**
 * Who asks. A value that goes from the request through every service into every repository call that touches the data of
 * a school, as the first argument: nothing can be read or written on nobody's behalf. What belongs to another school than
 * its `schools` does not exist for it.
 */
export type Actor = Grant &
  Readonly<{
    /** Names the principal and stays the same for as long as it is one; under it its idempotency keys are kept. */
    principalId: string;
    /** Of the request that it asks with. Absent for the command line, and for what the product does by itself. */
    requestId?: string;
  }> &
  (
    | Readonly<{
        /**
         * root: the API key of the environment, or the command line. key: one of `api_keys`. user: a person who signed in.
         * anonymous: a read without a key, where reads are open.
         */
        kind: 'root' | 'key' | 'user' | 'anonymous';
      }>
    /**
     * A family's address. Its `schools` are none, so that whatever asks for schools alone shows it nothing: only what asks
     * for the family as well does (docs/decisions/0057).
     */
    | Readonly<{ kind: 'link'; family: Readonly<{ id: number; schoolId: number }> }>
  );

/** @param principalId names the key without holding it */
export function rootActor(principalId: string): Actor {
  return { principalId, kind: 'root', schools: 'all', scopes: EVERYTHING };
}

/** What names a person as a principal. */
export function principalIdOfUser(id: number): string {
  return `user ${id}`;
}

/** Whether what belongs to the school exists for the actor. */
export function sees({ schools }: Pick<Grant, 'schools'>, schoolId: number): boolean {
  return schools === 'all' || schools.includes(schoolId);
}

/**
 * Whether a row exists for the actor.
 *
 * @param row.familyId whose it is; absent where rows of its kind are no family's
 */
export function seesRow(
  actor: Actor,
  { schoolId, familyId }: Readonly<{ schoolId: number; familyId?: number | null }>,
): boolean {
  if (actor.kind !== 'link') return sees(actor, schoolId);
  return schoolId === actor.family.schoolId && familyId === actor.family.id;
}

export function hasScope({ scopes }: Pick<Grant, 'scopes'>, scope: Scope): boolean {
  return scopes.has(scope);
}

/** The actor as far as the grant reaches as well: never more than before. */
export function narrow(actor: Actor, to: Grant): Actor {
  const { schools } = actor;
  return {
    ...actor,
    schools: to.schools === 'all' ? schools : to.schools.filter((id) => schools === 'all' || schools.includes(id)),
    scopes: new Set([...actor.scopes].filter((scope) => to.scopes.has(scope))),
  };
}

/** Whether the actor has all of the grant itself: nobody gives away more than they have. */
export function covers(actor: Grant, { schools, scopes }: Grant): boolean {
  const hasSchools = actor.schools === 'all' || (schools !== 'all' && schools.every((id) => sees(actor, id)));
  return hasSchools && [...scopes].every((scope) => actor.scopes.has(scope));
}

/**
 * The actor for something that needs `scope`, of a principal who was granted different things in different schools: it sees
 * the schools in which it has the scope, and has there what it has in each of them. Undefined where it has it in none.
 *
 * @param grants the same principal, once for each
 */
export function actorFor(grants: readonly Actor[], scope: Scope): Actor | undefined {
  const fitting = grants.filter((grant) => hasScope(grant, scope));
  const [first, ...others] = fitting;
  if (first === undefined || others.length === 0) return first;
  return {
    ...first,
    schools: fitting.map(({ schools }) => schools).reduce(unionOf),
    scopes: new Set([...first.scopes].filter((one) => fitting.every((grant) => hasScope(grant, one)))),
  };
}

function unionOf(a: Schools, b: Schools): Schools {
  return a === 'all' || b === 'all' ? 'all' : [...new Set([...a, ...b])];
}

const EVERYTHING = scopesOf(...SCOPES);

/** Reads what a viewer may, of all schools. */
export const ANONYMOUS: Actor = {
  principalId: 'anonymous',
  kind: 'anonymous',
  schools: 'all',
  scopes: ROLES.viewer,
};

/**
 * Who reads what stands on a paper beside its subject, such as the school's letterhead: whoever was found to see the subject
 * may read that, a family's link too, which sees no school.
 */
export function readerOfParts(actor: Actor): Actor {
  if (actor.kind !== 'link') return actor;
  const { principalId, family } = actor;
  return { principalId, kind: 'anonymous', schools: [family.schoolId], scopes: scopesOf() };
}

/** Whoever can start a program beside the database may do all there is. */
export const COMMAND_LINE: Actor = rootActor('command line');
