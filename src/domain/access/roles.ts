import { SCOPES, type Scopes, scopesOf } from './scopes.ts';

const VIEWER = [
  'schools:read',
  'students:read',
  'families:read',
  'invoices:read',
  'payments:read',
  'reports:read',
  'plans:read',
] as const;
const CASHIER = [...VIEWER, 'payments:write'] as const;
const ACCOUNTANT = [
  ...CASHIER,
  'invoices:write',
  'families:write',
  'students:write',
  'plans:write',
  'imports:write',
  'invoices:correct',
  'payments:correct',
  'audit:read',
] as const;

/** What a person does in a school. A role is nothing but the set of its scopes. */
export const ROLES = {
  viewer: scopesOf(...VIEWER),
  cashier: scopesOf(...CASHIER),
  accountant: scopesOf(...ACCOUNTANT),
  owner: scopesOf(...SCOPES),
} as const satisfies Readonly<Record<string, Scopes>>;

export type Role = keyof typeof ROLES;

export const ROLE_NAMES: readonly Role[] = ['viewer', 'cashier', 'accountant', 'owner'];
