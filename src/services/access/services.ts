import type { Clock, IdentityProvider, Log, Passwords, Tokens } from '../../domain/shared/ports.ts';
import type { Batches } from '../../repositories/shared/batches.ts';
import type { UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { ApiKeyService } from './api-key-service.ts';
import { ApiKeyVerifier } from './api-key-verifier.ts';
import { AuditSealer } from './audit-sealer.ts';
import { AuditService } from './audit-service.ts';
import { ExportService } from './export-service.ts';
import { FamilyLinkService } from './family-link-service.ts';
import { InvitationService } from './invitation-service.ts';
import { OidcService } from './oidc-service.ts';
import { PrivacyService } from './privacy-service.ts';
import { SessionService } from './session-service.ts';
import { SignInCleaner } from './sign-in-cleaner.ts';
import { SignInThrottle } from './sign-in-throttle.ts';
import { UserService } from './user-service.ts';

/** Who may do what, and who did. */
export type AccessServices = Readonly<{
  apiKeys: ApiKeyService;
  apiKeyVerifier: ApiKeyVerifier;
  users: UserService;
  sessions: SessionService;
  invitations: InvitationService;
  familyLinks: FamilyLinkService;
  oidc: OidcService;
  privacy: PrivacyService;
  exports: ExportService;
  audit: AuditService;
  auditSealer: AuditSealer;
  signInCleaner: SignInCleaner;
}>;

/** @param dependencies.provider null: nobody signs in at another place */
export function accessServices(
  dependencies: Readonly<{
    unitOfWork: UnitOfWork;
    batches: Batches;
    clock: Clock;
    log: Log;
    passwords: Passwords;
    tokens: Tokens;
    provider: IdentityProvider | null;
  }>,
): AccessServices {
  const verifier = new ApiKeyVerifier(dependencies);
  const throttle = new SignInThrottle(dependencies);
  const sessions = new SessionService({ ...dependencies, throttle });
  return {
    apiKeys: new ApiKeyService({ ...dependencies, verifier }),
    apiKeyVerifier: verifier,
    users: new UserService(dependencies),
    sessions,
    invitations: new InvitationService({ ...dependencies, throttle }),
    familyLinks: new FamilyLinkService(dependencies),
    oidc: new OidcService({ ...dependencies, sessions, throttle }),
    privacy: new PrivacyService(dependencies),
    exports: new ExportService(dependencies),
    audit: new AuditService(dependencies),
    auditSealer: new AuditSealer(dependencies),
    signInCleaner: new SignInCleaner(dependencies),
  };
}
