import type { Configuration } from 'openid-client';
import { UnavailableError } from '../../domain/shared/errors.ts';
import {
  type IdentityProvider,
  IdentityRefused,
  type ProvenIdentity,
  type SignInSecrets,
} from '../../domain/shared/ports.ts';

export type OidcOptions = Readonly<{
  /** Where `/.well-known/openid-configuration` is found. Without TLS only on this machine. */
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Where the provider sends people back to: registered there. */
  redirectUrl: string;
}>;

const TIMEOUT_S = 5;
const SCOPE = 'openid email';

type Client = typeof import('openid-client');
type Ready = Readonly<{ client: Client; configuration: Configuration }>;

/**
 * An OpenID provider: code flow with PKCE, state and nonce. The library is loaded, and the provider asked for what it offers,
 * when somebody signs in there for the first time.
 */
export class OidcProvider implements IdentityProvider {
  readonly #options: OidcOptions;
  #ready: Promise<Ready> | undefined;

  constructor(options: OidcOptions) {
    this.#options = options;
  }

  async addressFor({ state, nonce, verifier }: SignInSecrets): Promise<string> {
    const { client, configuration } = await this.#prepared();
    const url = client.buildAuthorizationUrl(configuration, {
      redirect_uri: this.#options.redirectUrl,
      scope: SCOPE,
      state,
      nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    return url.href;
  }

  async identify(query: string, { state, nonce, verifier }: SignInSecrets): Promise<ProvenIdentity> {
    const { client, configuration } = await this.#prepared();
    try {
      const tokens = await client.authorizationCodeGrant(
        configuration,
        new URL(`${this.#options.redirectUrl}?${query}`),
        {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: verifier,
          idTokenExpected: true,
        },
      );
      const claims = tokens.claims();
      if (claims === undefined) throw new IdentityRefused('the provider sent no ID token');
      const { iss: issuer, sub: subject, email, email_verified: isVerified } = claims;
      return { issuer, subject, email: isVerified === true && typeof email === 'string' ? email.toLowerCase() : null };
    } catch (error) {
      throw isUnreachable(error)
        ? unavailable(error)
        : new IdentityRefused('the answer of the provider is not valid', error);
    }
  }

  async #prepared(): Promise<Ready> {
    this.#ready ??= this.#prepare();
    try {
      return await this.#ready;
    } catch (error) {
      // The next one tries again.
      this.#ready = undefined;
      throw unavailable(error);
    }
  }

  async #prepare(): Promise<Ready> {
    const client = await import('openid-client');
    const { issuer, clientId, clientSecret } = this.#options;
    const server = new URL(issuer);
    // An ID token that came over TLS need not be verified again; it costs nothing to do it all the same.
    const execute = [client.enableNonRepudiationChecks];
    if (server.protocol === 'http:') execute.push(client.allowInsecureRequests);
    const options = { execute, timeout: TIMEOUT_S };
    const configuration = await client.discovery(
      server,
      clientId,
      undefined,
      client.ClientSecretBasic(clientSecret),
      options,
    );
    return { client, configuration };
  }
}

/** No connection, no answer in time, or an answer that is an error of the server: nothing that the person did. */
function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === 'TimeoutError' || error.message === 'fetch failed') return true;
  const code = 'code' in error ? error.code : undefined;
  return code === 'OAUTH_TIMEOUT' || isUnreachable(error.cause);
}

function unavailable(cause: unknown): UnavailableError {
  return new UnavailableError('identity_provider_unavailable', 'The OpenID provider does not answer', cause);
}
