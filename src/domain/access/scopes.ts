/** What is guarded: one resource each, as the paths of the API group them. */
const RESOURCES = [
  'schools',
  'students',
  'families',
  'invoices',
  'payments',
  'reports',
  'plans',
  'imports',
  'webhooks',
  'keys',
  'users',
  'audit',
  'privacy',
] as const;
type Resource = (typeof RESOURCES)[number];

/**
 * One thing that somebody may do. `write` includes `read`. `correct` takes back what was recorded (voids, credit notes;
 * reversals, releases, refunds), and no other scope includes it.
 */
export type Scope = `${Resource}:${'read' | 'write'}` | 'invoices:correct' | 'payments:correct';

/** Every scope there is, in the order they are shown in. */
export const SCOPES: readonly Scope[] = RESOURCES.flatMap((resource): Scope[] => [
  `${resource}:read`,
  `${resource}:write`,
  ...(resource === 'invoices' || resource === 'payments' ? [`${resource}:correct` as const] : []),
]);

/** With all that they include: a set of them is asked by membership alone, see {@link scopesOf}. */
export type Scopes = ReadonlySet<Scope>;

export function isScope(text: string): text is Scope {
  return SCOPES.some((scope) => scope === text);
}

/** The set of these and of what they include. */
export function scopesOf(...granted: readonly Scope[]): Scopes {
  return new Set([...granted, ...granted.flatMap(included)]);
}

/** Those of the set that no other of it includes, in the order of {@link SCOPES}: the shortest way to say it. */
export function shortestOf(scopes: Scopes): Scope[] {
  const others = new Set([...scopes].flatMap(included));
  return SCOPES.filter((scope) => scopes.has(scope) && !others.has(scope));
}

function included(scope: Scope): Scope[] {
  const [resource] = scope.split(':');
  const read = `${resource}:read`;
  return scope.endsWith(':write') && isScope(read) ? [read] : [];
}
