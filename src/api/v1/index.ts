import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../domain/shared/ports.ts';
import type { ApiKeyService } from '../../services/access/api-key-service.ts';
import type { AuditService } from '../../services/access/audit-service.ts';
import type { FamilyLinkService } from '../../services/access/family-link-service.ts';
import type { InvitationService } from '../../services/access/invitation-service.ts';
import type { OidcService } from '../../services/access/oidc-service.ts';
import type { PrivacyService } from '../../services/access/privacy-service.ts';
import type { SessionService } from '../../services/access/session-service.ts';
import type { UserService } from '../../services/access/user-service.ts';
import type { FamilyService } from '../../services/accounts/family-service.ts';
import type { GuardianService } from '../../services/accounts/guardian-service.ts';
import type { SchoolService } from '../../services/accounts/school-service.ts';
import type { StudentService } from '../../services/accounts/student-service.ts';
import type { ClosingService } from '../../services/billing/closing-service.ts';
import type { CreditNoteService } from '../../services/billing/credit-note-service.ts';
import type { FamilyPaymentService } from '../../services/billing/family-payment-service.ts';
import type { InvoiceService } from '../../services/billing/invoice-service.ts';
import type { PaymentService } from '../../services/billing/payment-service.ts';
import type { DocumentService } from '../../services/documents/document-service.ts';
import type { BillingRunService } from '../../services/plans/billing-run-service.ts';
import type { CatalogueServices } from '../../services/plans/kinds.ts';
import type { LedgerService } from '../../services/reporting/ledger-service.ts';
import type { ReconciliationService } from '../../services/reporting/reconciliation-service.ts';
import type { ReportService } from '../../services/reporting/report-service.ts';
import type { StatementService } from '../../services/reporting/statement-service.ts';
import type { ClientAddresses } from '../edge/load/client-address.ts';
import { importRoutes } from '../imports/routes.ts';
import { auditRoutes } from './access/audit.ts';
import { oidcRoutes } from './access/oidc.ts';
import { privacyRoutes } from './access/privacy.ts';
import { sessionRoutes } from './access/session.ts';
import { userRoutes } from './access/users.ts';
import { apiKeyRoutes } from './api-keys.ts';
import { closingRoutes } from './closings.ts';
import { creditNoteRoutes } from './credit-notes.ts';
import { familyRoutes } from './families/families.ts';
import { guardianRoutes } from './families/guardians.ts';
import { familyLinkRoutes } from './families/links.ts';
import { familyPaymentRoutes } from './family-payments.ts';
import { invoiceRoutes } from './invoices.ts';
import { ledgerRoutes } from './ledger.ts';
import { meRoute } from './me.ts';
import { paymentRoutes } from './payments.ts';
import { billingRunRoutes } from './plans/billing-runs.ts';
import { catalogueOf } from './plans/index.ts';
import { withdrawalRoutes } from './plans/withdrawals.ts';
import { reconciliationRoutes } from './reconciliation.ts';
import { reportRoutes } from './reports.ts';
import { schoolRoutes } from './schools.ts';
import { statementRoutes } from './statements.ts';
import { studentRoutes } from './students.ts';

/** What the routes ask. */
export type Services = CatalogueServices &
  Readonly<{
    schools: SchoolService;
    students: StudentService;
    families: FamilyService;
    guardians: GuardianService;
    invoices: InvoiceService;
    creditNotes: CreditNoteService;
    closings: ClosingService;
    payments: PaymentService;
    familyPayments: FamilyPaymentService;
    statements: StatementService;
    apiKeys: ApiKeyService;
    reconciliation: ReconciliationService;
    ledgers: LedgerService;
    documents: DocumentService;
    reports: ReportService;
    users: UserService;
    sessions: SessionService;
    familyLinks: FamilyLinkService;
    invitations: InvitationService;
    billingRuns: BillingRunService;
    oidc: OidcService;
    privacy: PrivacyService;
    audit: AuditService;
    clock: Clock;
  }>;

/** What the routes know of the server they are on. */
type Place = Readonly<{
  /** Of the product. */
  release: string;
  /** Where people reach it; null: wherever they asked. */
  publicUrl: string | null;
  addresses: ClientAddresses;
}>;

/** Every resource of version 1. */
export function v1Routes(routes: FastifyInstance, services: Services, { release, publicUrl, addresses }: Place): void {
  schoolRoutes(routes, services.schools);
  studentRoutes(routes, services.students);
  familyRoutes(routes, services.families);
  guardianRoutes(routes, services.guardians);
  familyLinkRoutes(routes, services, publicUrl);
  invoiceRoutes(routes, services);
  creditNoteRoutes(routes, services);
  closingRoutes(routes, services.closings);
  paymentRoutes(routes, services);
  familyPaymentRoutes(routes, services);
  statementRoutes(routes, services, release);
  reconciliationRoutes(routes, services.reconciliation);
  ledgerRoutes(routes, services);
  reportRoutes(routes, services);
  catalogueOf(routes, services);
  importRoutes(routes, services.imports);
  withdrawalRoutes(routes, services.withdrawals);
  meRoute(routes);
  apiKeyRoutes(routes, services);
  sessionRoutes(routes, services, addresses);
  oidcRoutes(routes, services.oidc, addresses);
  privacyRoutes(routes, services.privacy);
  auditRoutes(routes, services.audit);
  userRoutes(routes, services.users, publicUrl);
  billingRunRoutes(routes, services.billingRuns);
}
