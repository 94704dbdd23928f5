import type { JsonObject } from './audit.ts';
import type { Membership } from './user.ts';

/** What happened to somebody's account. Ids, roles and the names of what was changed: no name and no e-mail. */
export type UserEvent =
  | Readonly<{ type: 'user_created'; userId: number; memberships: readonly Membership[] }>
  | Readonly<{
      type: 'user_updated';
      userId: number;
      /** Members of the user that are not what they were. */
      changed: readonly string[];
      before: UserFacts;
      after: UserFacts;
    }>
  | Readonly<{ type: 'user_deleted'; userId: number; memberships: readonly Membership[] }>
  | Readonly<{ type: 'user_invited'; userId: number }>
  | Readonly<{ type: 'password_set'; userId: number }>;

/** What may be told of a user. */
export type UserFacts = Readonly<{ isActive: boolean; memberships: readonly Membership[] }>;

/** How somebody said who they are. */
export type SignInMethod = 'password' | 'oidc' | 'link';

/**
 * Who came, who went, and who was not let in. `userId` is null where nobody has that e-mail, and for links, whose `linkId` is
 * told. `isLinked` says that from now on who came from the OpenID provider is that user.
 */
export type SessionEvent =
  | Readonly<{
      type: 'signed_in';
      method: SignInMethod;
      userId: number | null;
      linkId?: number;
      schoolId?: number;
      isLinked?: true;
    }>
  | Readonly<{ type: 'sign_in_refused'; method: SignInMethod; userId: number | null; reason: SignInRefusal }>
  | Readonly<{ type: 'signed_out'; userId: number | null; linkId?: number }>;

/** Files in which people are named, by what they list. */
export type ExportedList =
  | 'students'
  | 'families'
  | 'guardians'
  | 'users'
  | 'debtors'
  | 'payments'
  | 'credit_notes'
  | 'ledger'
  | 'statement';

/** What a file is written as. Those of JSON are of the command line alone. */
export type ExportedForm = 'csv' | 'xlsx' | 'pdf' | 'json' | 'jsonl';

/** A file of people was given out: of one school or family, or of all there are for who asked. */
export type PersonalDataExported = Readonly<{
  type: 'personal_data_exported';
  of: ExportedList;
  form: ExportedForm;
  /** What narrowed it, as far as it may be told. */
  filters: JsonObject;
  schoolId: number | null;
}>;

/** Who was forgotten, and whose data was given out. */
export type PrivacyEvent =
  | Readonly<{
      type: 'student_erased' | 'guardian_erased';
      erasureId: number;
      schoolId: number;
      studentId: number | null;
      guardianId: number | null;
    }>
  | Readonly<{ type: 'personal_data_given'; schoolId: number; studentId: number }>
  | PersonalDataExported;

export type SignInRefusal =
  | 'wrong_credentials'
  | 'link_over'
  | 'too_many_failures'
  | 'not_invited'
  | 'email_not_verified'
  | 'provider';
