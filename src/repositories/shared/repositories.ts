import type { Sql } from '../../infrastructure/postgres/pool.ts';
import { ApiKeyRepository } from '../access/api-key-repository.ts';
import { AuditRepository } from '../access/audit-repository.ts';
import { AuditSealRepository } from '../access/audit-seal-repository.ts';
import { FamilyLinkRepository } from '../access/family-link-repository.ts';
import { InvitationRepository } from '../access/invitation-repository.ts';
import { OidcRepository } from '../access/oidc-repository.ts';
import { PrivacyRepository } from '../access/privacy-repository.ts';
import { SessionRepository } from '../access/session-repository.ts';
import { SignInFailureRepository } from '../access/sign-in-failure-repository.ts';
import { UserRepository } from '../access/user-repository.ts';
import { FamilyRepository } from '../accounts/family-repository.ts';
import { GuardianRepository } from '../accounts/guardian-repository.ts';
import { SchoolRepository } from '../accounts/school-repository.ts';
import { StudentRepository } from '../accounts/student-repository.ts';
import { AllocationRepository } from '../billing/allocation-repository.ts';
import { BooksRepository } from '../billing/books-repository.ts';
import { ClosingRepository } from '../billing/closing-repository.ts';
import { CreditNoteRepository } from '../billing/credit-note-repository.ts';
import { InvoiceRepository } from '../billing/invoice-repository.ts';
import { PaymentRepository } from '../billing/payment-repository.ts';
import { RefundRepository } from '../billing/refund-repository.ts';
import { BalanceImportRepository } from '../imports/balance-import-repository.ts';
import { FamilyImportRepository } from '../imports/family-import-repository.ts';
import { StudentImportRepository } from '../imports/student-import-repository.ts';
import { BillingRunRepository } from '../plans/billing-run-repository.ts';
import { ChargeRepository } from '../plans/charge-repository.ts';
import { ConceptRepository } from '../plans/concept-repository.ts';
import { DiscountRepository } from '../plans/discount-repository.ts';
import { EarlyPaymentRepository } from '../plans/early-payment-repository.ts';
import { EnrolmentRepository } from '../plans/enrolment-repository.ts';
import { LateChargeRepository } from '../plans/late-charge-repository.ts';
import { LateFeePolicyRepository } from '../plans/late-fee-policy-repository.ts';
import { PeriodRepository } from '../plans/period-repository.ts';
import { PlanRepository } from '../plans/plan-repository.ts';
import { RunItemRepository } from '../plans/run-item-repository.ts';
import { DebtRepository } from '../reporting/debt-repository.ts';
import { LedgerRepository } from '../reporting/ledger-repository.ts';
import { ReconciliationRepository } from '../reporting/reconciliation-repository.ts';
import { ReportRepository } from '../reporting/report-repository.ts';
import { StatementRepository } from '../reporting/statement-repository.ts';
import { IdempotencyRepository } from './idempotency-repository.ts';
import { JobRepository } from './job-repository.ts';
import { SequenceRepository } from './sequence-repository.ts';

export type Repositories = Readonly<{
  schools: SchoolRepository;
  students: StudentRepository;
  families: FamilyRepository;
  guardians: GuardianRepository;
  invoices: InvoiceRepository;
  payments: PaymentRepository;
  allocations: AllocationRepository;
  refunds: RefundRepository;
  creditNotes: CreditNoteRepository;
  books: BooksRepository;
  closings: ClosingRepository;
  periods: PeriodRepository;
  concepts: ConceptRepository;
  plans: PlanRepository;
  discounts: DiscountRepository;
  enrolments: EnrolmentRepository;
  lateFeePolicies: LateFeePolicyRepository;
  charges: ChargeRepository;
  lateCharges: LateChargeRepository;
  earlyPayments: EarlyPaymentRepository;
  billingRuns: BillingRunRepository;
  runItems: RunItemRepository;
  studentImports: StudentImportRepository;
  familyImports: FamilyImportRepository;
  balanceImports: BalanceImportRepository;
  statements: StatementRepository;
  reconciliation: ReconciliationRepository;
  debts: DebtRepository;
  ledger: LedgerRepository;
  reports: ReportRepository;
  idempotency: IdempotencyRepository;
  sequences: SequenceRepository;
  jobs: JobRepository;
  apiKeys: ApiKeyRepository;
  users: UserRepository;
  sessions: SessionRepository;
  familyLinks: FamilyLinkRepository;
  invitations: InvitationRepository;
  signInFailures: SignInFailureRepository;
  oidc: OidcRepository;
  privacy: PrivacyRepository;
  audit: AuditRepository;
  auditSeals: AuditSealRepository;
}>;

/** @param sql a pool or an open transaction: where their statements run */
export function repositoriesOn(sql: Sql): Repositories {
  return {
    schools: new SchoolRepository(sql),
    students: new StudentRepository(sql),
    families: new FamilyRepository(sql),
    guardians: new GuardianRepository(sql),
    invoices: new InvoiceRepository(sql),
    payments: new PaymentRepository(sql),
    allocations: new AllocationRepository(sql),
    refunds: new RefundRepository(sql),
    creditNotes: new CreditNoteRepository(sql),
    books: new BooksRepository(sql),
    closings: new ClosingRepository(sql),
    periods: new PeriodRepository(sql),
    concepts: new ConceptRepository(sql),
    plans: new PlanRepository(sql),
    discounts: new DiscountRepository(sql),
    enrolments: new EnrolmentRepository(sql),
    lateFeePolicies: new LateFeePolicyRepository(sql),
    charges: new ChargeRepository(sql),
    lateCharges: new LateChargeRepository(sql),
    earlyPayments: new EarlyPaymentRepository(sql),
    billingRuns: new BillingRunRepository(sql),
    runItems: new RunItemRepository(sql),
    studentImports: new StudentImportRepository(sql),
    familyImports: new FamilyImportRepository(sql),
    balanceImports: new BalanceImportRepository(sql),
    statements: new StatementRepository(sql),
    reconciliation: new ReconciliationRepository(sql),
    debts: new DebtRepository(sql),
    ledger: new LedgerRepository(sql),
    reports: new ReportRepository(sql),
    idempotency: new IdempotencyRepository(sql),
    sequences: new SequenceRepository(sql),
    jobs: new JobRepository(sql),
    apiKeys: new ApiKeyRepository(sql),
    users: new UserRepository(sql),
    sessions: new SessionRepository(sql),
    familyLinks: new FamilyLinkRepository(sql),
    invitations: new InvitationRepository(sql),
    signInFailures: new SignInFailureRepository(sql),
    oidc: new OidcRepository(sql),
    privacy: new PrivacyRepository(sql),
    audit: new AuditRepository(sql),
    auditSeals: new AuditSealRepository(sql),
  };
}
