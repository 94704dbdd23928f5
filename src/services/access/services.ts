import type { Passwords, Tokens } from '../../domain/shared/ports.ts';
import { FamilyLinkService } from './family-link-service.ts';
import { InvitationService } from './invitation-service.ts';
import { OidcService } from './oidc-service.ts';
import { PrivacyService } from './privacy-service.ts';
import { SessionService } from './session-service.ts';
import { SignInCleaner } from './sign-in-cleaner.ts';
import { SignInThrottle } from './sign-in-throttle.ts';
import { UserService } from './user-service.ts';

/** Who people are, how they come in, and how they are forgotten. */
export type PeopleServices = Readonly<{
  users: UserService;
  sessions: SessionService;
  invitations: InvitationService;
  familyLinks: FamilyLinkService;
  oidc: OidcService;
  privacy: PrivacyService;
  signInCleaner: SignInCleaner;
}>;

type Dependencies = Omit<ConstructorParameters<typeof OidcService>[0], 'sessions'> &
  Readonly<{ passwords: Passwords; tokens: Tokens }>;

export function peopleServices(dependencies: Dependencies): PeopleServices {
  const throttle = new SignInThrottle(dependencies);
  const sessions = new SessionService({ ...dependencies, throttle });
  return {
    users: new UserService(dependencies),
    sessions,
    invitations: new InvitationService({ ...dependencies, throttle }),
    familyLinks: new FamilyLinkService(dependencies),
    oidc: new OidcService({ ...dependencies, sessions }),
    privacy: new PrivacyService(dependencies),
    signInCleaner: new SignInCleaner(dependencies),
  };
}
