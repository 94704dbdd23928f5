/**
 * Who asks. A value that goes from the request through every service into every repository call that touches the data of
 * a school, as the first argument: nothing can be read or written on nobody's behalf.
 */
export type Actor = Readonly<{
  /** Names the principal and stays the same for as long as it is one; under it its idempotency keys are kept. */
  principalId: string;
  /** root: the API key of the environment, or the command line. anonymous: a read without a key, where reads are open. */
  kind: 'root' | 'anonymous';
  /** Whose data there is for this actor: what belongs to another school does not exist. */
  schools: 'all' | readonly number[];
}>;

/** @param principalId names the key without holding it */
export function rootActor(principalId: string): Actor {
  return { principalId, kind: 'root', schools: 'all' };
}

/** Whether what belongs to the school exists for the actor. */
export function sees({ schools }: Actor, schoolId: number): boolean {
  return schools === 'all' || schools.includes(schoolId);
}

export const ANONYMOUS: Actor = { principalId: 'anonymous', kind: 'anonymous', schools: 'all' };

/** Whoever can start a program beside the database may do all there is. */
export const COMMAND_LINE: Actor = rootActor('command line');
