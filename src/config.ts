import { homedir } from 'node:os';
import { HOST_NAME, isIssuer, isLoopback, isNetwork, isOrigin } from './infrastructure/addresses.ts';
import { defaultDataDir } from './infrastructure/embedded-postgres/account.ts';
import type { OidcOptions } from './infrastructure/identity/oidc.ts';
import { TRACES_SAMPLERS, type TracingOptions } from './infrastructure/observability/tracing.ts';

export type Environment = 'development' | 'test' | 'production';
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type Config = Readonly<{
  environment: Environment;
  /** Null: an embedded PostgreSQL is started in `dataDir`. */
  databaseUrl: string | null;
  /** URL of the role that owns the tables, for migrations. */
  databaseMigrationUrl: string | null;
  dataDir: string;
  apiKey: string;
  readAccess: 'public' | 'key';
  prefix: string;
  logLevel: LogLevel;
  host: string;
  /** Names that requests may be sent to, lower case, without ports. Null: all of them. */
  allowedHosts: readonly string[] | null;
  /** Of pages that may use the API in a browser. */
  corsOrigins: readonly string[];
  port: number;
  /** Where people reach this server, without a path; null: wherever they asked. */
  publicUrl: string | null;
  /** Where people may sign in instead of with a password; null: nowhere. */
  oidc: OidcOptions | null;
  database: Readonly<{
    connectionsMax: number;
    /** False behind a pooler in transaction mode. */
    prepare: boolean;
    connectTimeoutMs: number;
    statementTimeoutMs: number;
    lockTimeoutMs: number;
    idleInTransactionTimeoutMs: number;
  }>;
  /** How long the server still answers after SIGTERM while /health/ready already says no: time for a balancer to notice. */
  shutdownDelayMs: number;
  /** Requests per minute and key; 0 is no limit. */
  rateLimitPerMinute: number;
  /** Open connections of one address, those of trusted proxies left out. */
  connectionsPerAddressMax: number;
  /** Whose `X-Forwarded-For` is believed: so many proxies, or these addresses; 0 is nobody's. */
  trustProxy: number | readonly string[];
  /** Whether this process does the jobs, which are done by one of all that do. */
  worker: boolean;
  /** Null: no traces. */
  tracing: TracingOptions | null;
}>;

export const DEVELOPMENT_API_KEY = 'dev-secret-key';
const API_KEY_LENGTH_MIN = 32;
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

type Env = Readonly<Record<string, string | undefined>>;

/** Everything wrong with the environment, by variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is wrong:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/**
 * Reads the environment into one frozen object. The only place that does.
 *
 * @throws ConfigError that names every wrong variable, not only the first
 */
export function readConfig(env: Env = process.env): Config {
  const reader = new EnvReader(env);
  const environment = reader.oneOf('ENVIRONMENT', ['development', 'test', 'production'], 'development');
  const isProduction = environment === 'production';
  const host = reader.text('HOST', '127.0.0.1');
  const prefix = reader.prefix();
  const config: Config = {
    environment,
    databaseUrl: reader.databaseUrl('DATABASE_URL'),
    databaseMigrationUrl: reader.databaseUrl('DATABASE_MIGRATION_URL'),
    dataDir: reader.dataDir(),
    apiKey: reader.apiKey(isProduction, host),
    readAccess: reader.readAccess(isProduction),
    prefix,
    logLevel: reader.logLevel(),
    host,
    allowedHosts: reader.allowedHosts(host),
    corsOrigins: reader.corsOrigins(),
    port: reader.integer('PORT', 8000, { min: 0, max: 65_535 }),
    publicUrl: reader.publicUrl(),
    oidc: reader.oidc(prefix),
    database: {
      connectionsMax: reader.integer('DATABASE_POOL_MAX', 10, { min: 1, max: 1_000 }),
      prepare: reader.oneOf('DATABASE_PREPARE', ['true', 'false'], 'true') === 'true',
      connectTimeoutMs: reader.integer('DATABASE_CONNECT_TIMEOUT_MS', 1_500, { min: 100, max: 60_000 }),
      statementTimeoutMs: reader.integer('DATABASE_STATEMENT_TIMEOUT_MS', 10_000, { min: 100, max: 600_000 }),
      lockTimeoutMs: reader.integer('DATABASE_LOCK_TIMEOUT_MS', 5_000, { min: 50, max: 600_000 }),
      idleInTransactionTimeoutMs: reader.integer('DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS', 10_000, {
        min: 100,
        max: 600_000,
      }),
    },
    shutdownDelayMs: reader.integer('SHUTDOWN_DELAY_MS', 0, { min: 0, max: 8_000 }),
    rateLimitPerMinute: reader.integer('RATE_LIMIT_PER_MINUTE', 0, { min: 0, max: 1_000_000 }),
    connectionsPerAddressMax: reader.integer('CONNECTIONS_PER_ADDRESS_MAX', 1_024, { min: 1, max: 2_048 }),
    trustProxy: reader.proxies('TRUST_PROXY'),
    worker: reader.oneOf('WORKER', ['on', 'off'], 'on') === 'on',
    tracing: reader.tracing(),
  };
  if (config.databaseMigrationUrl !== null && config.databaseUrl === null) {
    reader.problems.push('DATABASE_MIGRATION_URL needs DATABASE_URL beside it');
  }
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  Object.freeze(config.database);
  return Object.freeze(config);
}

/** What stands between commas. */
function listOf(text: string): string[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

/** Reads one variable after the other and remembers what was wrong with each. */
class EnvReader {
  readonly problems: string[] = [];
  readonly #env: Env;

  constructor(env: Env) {
    this.#env = env;
  }

  text(name: string, fallback: string): string {
    return this.#get(name) ?? fallback;
  }

  /** Case does not matter. */
  oneOf<T extends string>(name: string, values: readonly T[], fallback: T): T {
    const given = this.#get(name)?.toLowerCase();
    if (given === undefined) return fallback;
    const value = values.find((one) => one === given);
    if (value === undefined) this.problems.push(`${name} must be one of ${values.join(', ')}`);
    return value ?? fallback;
  }

  /** Other logging libraries' names for two of the levels are understood. */
  logLevel(): LogLevel {
    const level = this.oneOf('LOG_LEVEL', [...LOG_LEVELS, 'warning', 'critical'] as const, 'info');
    if (level === 'warning') return 'warn';
    return level === 'critical' ? 'fatal' : level;
  }

  integer(name: string, fallback: number, { min, max }: { min: number; max: number }): number {
    const given = this.#get(name);
    if (given === undefined) return fallback;
    const value = /^\d{1,9}$/.test(given) ? Number(given) : Number.NaN;
    if (value >= min && value <= max) return value;
    this.problems.push(`${name} must be a whole number from ${min} to ${max}`);
    return fallback;
  }

  databaseUrl(name: string): string | null {
    const given = this.#get(name);
    if (given === undefined) return null;
    const url = URL.canParse(given) ? new URL(given) : undefined;
    const isComplete =
      url !== undefined && /^postgres(ql)?:$/.test(url.protocol) && url.hostname !== '' && url.pathname.length > 1;
    // A % that encodes nothing: a password with one in it has to be written %25.
    if (isComplete && !/%(?![0-9a-f]{2})/i.test(given)) return given;
    // The value is not repeated: it may hold a password.
    this.problems.push(`${name} must look like postgresql://user:password@host:5432/database`);
    return null;
  }

  dataDir(): string {
    return (
      this.#get('DATA_DIR') ??
      defaultDataDir({
        env: this.#env,
        platform: process.platform,
        homedir: homedir(),
        isRoot: process.getuid?.() === 0,
      })
    );
  }

  /** @param host where the server listens: whoever reaches it from elsewhere may have read the published key */
  apiKey(isProduction: boolean, host: string): string {
    const given = this.#get('API_KEY');
    if (isProduction && given === undefined) this.problems.push('API_KEY must be set in production');
    else if (isProduction && (given === DEVELOPMENT_API_KEY || (given?.length ?? 0) < API_KEY_LENGTH_MIN)) {
      this.problems.push(
        `API_KEY must have at least ${API_KEY_LENGTH_MIN} characters in production and not be the default`,
      );
    } else if (given !== undefined && !/^[\x21-\x7e]+$/.test(given)) {
      this.problems.push('API_KEY must consist of visible ASCII characters: a header carries no others');
    } else if (!isLoopback(host) && (given ?? DEVELOPMENT_API_KEY) === DEVELOPMENT_API_KEY) {
      this.problems.push(
        `API_KEY must be set to a secret of your own where HOST (${host}) is not loopback: ${DEVELOPMENT_API_KEY} is published, so everybody who reaches the server could write. Make one with: openssl rand -hex 32`,
      );
    }
    return given ?? DEVELOPMENT_API_KEY;
  }

  /** A server on loopback answers for loopback only; where it can be reached from elsewhere nobody knows its names but who set it up. */
  allowedHosts(host: string): readonly string[] | null {
    const given = this.#get('ALLOWED_HOSTS');
    if (given === undefined) return isLoopback(host) ? [...new Set([...LOOPBACK_NAMES, host.toLowerCase()])] : null;
    const names = listOf(given).map((name) => name.toLowerCase());
    if (names.includes('*')) return null;
    if (names.length === 0 || !names.every((name) => HOST_NAME.test(name))) {
      this.problems.push(
        'ALLOWED_HOSTS must be names without ports, separated by commas, such as billing.example.com,[::1]; or * for any',
      );
    }
    return names;
  }

  readAccess(isProduction: boolean): 'public' | 'key' {
    if (isProduction && this.#get('READ_ACCESS') === undefined) {
      this.problems.push('READ_ACCESS must be set in production: public or key');
    }
    return this.oneOf('READ_ACCESS', ['public', 'key'], 'public');
  }

  /** No `*`: whoever runs the API knows the pages that use it. */
  corsOrigins(): readonly string[] {
    const origins = listOf(this.#get('CORS_ORIGINS') ?? '');
    if (!origins.every(isOrigin)) {
      this.problems.push(
        'CORS_ORIGINS must be origins, as browsers send them, separated by commas, such as https://app.example.com',
      );
    }
    return origins;
  }

  /** As browsers write an origin: what we answer with begins with it. */
  publicUrl(): string | null {
    const given = this.#get('PUBLIC_URL');
    if (given === undefined || isOrigin(given)) return given ?? null;
    this.problems.push('PUBLIC_URL must be an origin without a path, such as https://billing.example.com');
    return null;
  }

  /** Three variables, or none of them. */
  oidc(prefix: string): OidcOptions | null {
    const issuer = this.#get('OIDC_ISSUER');
    const clientId = this.#get('OIDC_CLIENT_ID');
    const clientSecret = this.#get('OIDC_CLIENT_SECRET');
    const publicUrl = this.#get('PUBLIC_URL');
    if (issuer === undefined && clientId === undefined && clientSecret === undefined) return null;
    if (issuer !== undefined && !isIssuer(issuer)) {
      this.problems.push('OIDC_ISSUER must look like https://accounts.example.com');
    }
    if (issuer === undefined || clientId === undefined || clientSecret === undefined || publicUrl === undefined) {
      this.problems.push('OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET and PUBLIC_URL are set together');
      return null;
    }
    return { issuer, clientId, clientSecret, redirectUrl: `${publicUrl}${prefix}/oidc/callback` };
  }

  prefix(): string {
    const given = this.text('API_V1_PREFIX', '/api/v1').replace(/(?<!\/)\/+$/, '');
    // Clients resolve . and .. before they ask, so nothing below such a prefix could be reached.
    if (/^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._~-]+)+$/.test(given)) return given;
    this.problems.push('API_V1_PREFIX must be a path such as /api/v1');
    return '/api/v1';
  }

  /** A number of proxies, or their addresses, networks and the names that stand for some. Never "all": then anybody is. */
  proxies(name: string): number | readonly string[] {
    const given = this.#get(name);
    if (given === undefined) return 0;
    if (/^\d$/.test(given)) return Number(given);
    const proxies = given.split(',').map((one) => one.trim());
    if (proxies.every(isNetwork)) return Object.freeze(proxies);
    this.problems.push(
      `${name} must be how many proxies there are, at most 9, or their addresses, such as 10.0.0.5,192.168.0.0/16,loopback`,
    );
    return 0;
  }

  /** On as soon as there is somewhere to send spans to. The names are OpenTelemetry's own. */
  tracing(): TracingOptions | null {
    const endpoint = this.#get('OTEL_EXPORTER_OTLP_ENDPOINT');
    const options = {
      endpoint: endpoint ?? '',
      serviceName: this.text('OTEL_SERVICE_NAME', 'mattilda-billing'),
      sampler: this.oneOf('OTEL_TRACES_SAMPLER', TRACES_SAMPLERS, 'parentbased_always_on'),
      ratio: this.#ratio('OTEL_TRACES_SAMPLER_ARG'),
    };
    const isDisabled = this.oneOf('OTEL_SDK_DISABLED', ['true', 'false'], 'false') === 'true';
    if (endpoint !== undefined && !/^https?:\/\/[^/]/.test(endpoint)) {
      this.problems.push('OTEL_EXPORTER_OTLP_ENDPOINT must look like http://collector:4318');
    }
    return endpoint === undefined || isDisabled ? null : options;
  }

  #ratio(name: string): number {
    const given = this.#get(name);
    if (given === undefined) return 1;
    const value = /^(0?\.\d{1,9}|1\.0{1,9}|0|1)$/.test(given) ? Number(given) : Number.NaN;
    if (Number.isNaN(value)) this.problems.push(`${name} must be a number from 0 to 1`);
    return value;
  }

  /** An empty variable is one that is not set: compose files pass them on so. */
  #get(name: string): string | undefined {
    const value = this.#env[name];
    return value === undefined || value === '' ? undefined : value;
  }
}
