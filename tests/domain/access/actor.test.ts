import { describe, expect, test } from 'vitest';
import {
  type Actor,
  ANONYMOUS,
  actorFor,
  covers,
  hasScope,
  narrow,
  rootActor,
  sees,
} from '../../../src/domain/access/actor.ts';
import { ROLES } from '../../../src/domain/access/roles.ts';
import { isScope, SCOPES, type Scope, scopesOf, shortestOf } from '../../../src/domain/access/scopes.ts';

const [A, B] = [1, 2];
const root = rootActor('root');

function aKey(schools: Actor['schools'], ...scopes: Scope[]): Actor {
  return { principalId: 'key', kind: 'key', schools, scopes: scopesOf(...scopes) };
}

describe('scopes', () => {
  test('write includes read, and nothing includes correct', () => {
    expect([...scopesOf('payments:write')].sort()).toEqual(['payments:read', 'payments:write']);
    expect([...scopesOf('payments:correct')]).toEqual(['payments:correct']);
  });

  test('are said without those that others include', () => {
    expect(shortestOf(scopesOf('students:read', 'payments:write', 'payments:correct'))).toEqual([
      'students:read',
      'payments:write',
      'payments:correct',
    ]);
  });

  test('are 28, each of its name', () => {
    expect(new Set(SCOPES).size).toBe(28);
    expect(SCOPES.every(isScope)).toBe(true);
    expect(isScope('schools:correct')).toBe(false);
  });
});

describe('roles', () => {
  test('each has what the one before has, and more', () => {
    const { viewer, cashier, accountant, owner } = ROLES;
    expect([viewer, cashier, accountant, owner].map(({ size }) => size)).toEqual([7, 8, 17, 28]);
    for (const [less, more] of [
      [viewer, cashier],
      [cashier, accountant],
      [accountant, owner],
    ] as const) {
      expect([...less].filter((scope) => !more.has(scope))).toEqual([]);
    }
    expect(shortestOf(ROLES.cashier)).toContain('payments:write');
    expect(hasScope({ scopes: cashier }, 'payments:correct')).toBe(false);
  });
});

describe('an actor', () => {
  test('without a key reads of all schools what a viewer may', () => {
    expect(ANONYMOUS).toMatchObject({ schools: 'all', scopes: ROLES.viewer });
  });

  test('is narrowed and never widened', () => {
    const key = aKey([A], 'payments:write');
    expect(narrow(key, { schools: [A, B], scopes: scopesOf(...SCOPES) })).toEqual(key);
    expect(narrow(key, root)).toEqual(key);
    expect(narrow(root, { schools: [B], scopes: scopesOf('keys:read') })).toMatchObject({
      kind: 'root',
      schools: [B],
      scopes: scopesOf('keys:read'),
    });
  });

  test('covers what it has itself', () => {
    const key = aKey([A, B], 'payments:write', 'keys:write');
    expect(covers(key, aKey([A], 'payments:read'))).toBe(true);
    expect(covers(key, aKey([A], 'payments:correct'))).toBe(false);
    expect(covers(key, aKey([A, 3], 'payments:read'))).toBe(false);
    expect(covers(key, aKey('all', 'payments:read'))).toBe(false);
    expect(covers(root, aKey('all', ...SCOPES))).toBe(true);
  });

  test('granted different things in different schools acts where it has the scope, with what it has in all of those', () => {
    const grants = [aKey([A], 'payments:read', 'keys:read'), aKey([B], 'payments:write', 'students:read')];
    expect(actorFor(grants, 'payments:write')).toEqual(grants[1]);
    expect(actorFor(grants, 'payments:read')).toEqual(aKey([A, B], 'payments:read'));
    expect(actorFor(grants, 'users:read')).toBe(undefined);
  });
});

test('an actor sees what belongs to its schools, or to all', () => {
  expect(sees(root, 7)).toBe(true);
  expect(sees({ schools: [7] }, 7)).toBe(true);
  expect(sees({ schools: [7] }, 8)).toBe(false);
});
