import { describe, expect, test } from 'vitest';
import { type Config, ConfigError, DEVELOPMENT_API_KEY, readConfig } from '../src/config.ts';

const LONG_KEY = 'k'.repeat(32);
const PRODUCTION = { ENVIRONMENT: 'production', API_KEY: LONG_KEY, READ_ACCESS: 'key' };

/** What is wrong with an environment; nothing when it is fine. */
function problems(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe('readConfig', () => {
  test('an empty environment gives the documented defaults', () => {
    const { dataDir, ...config } = readConfig({});
    expect(dataDir).toMatch(/^\/|^[A-Z]:\\/);
    expect(config).toEqual({
      environment: 'development',
      databaseUrl: null,
      databaseMigrationUrl: null,
      apiKey: DEVELOPMENT_API_KEY,
      readAccess: 'public',
      prefix: '/api/v1',
      publicUrl: null,
      oidc: null,
      logLevel: 'info',
      host: '127.0.0.1',
      allowedHosts: ['localhost', '127.0.0.1', '[::1]'],
      corsOrigins: [],
      port: 8000,
      database: {
        connectionsMax: 10,
        prepare: true,
        connectTimeoutMs: 1_500,
        statementTimeoutMs: 10_000,
        lockTimeoutMs: 5_000,
        idleInTransactionTimeoutMs: 10_000,
      },
      shutdownDelayMs: 0,
      rateLimitPerMinute: 0,
      connectionsPerAddressMax: 1_024,
      trustProxy: 0,
      worker: true,
      tracing: null,
    });
    expect(DEVELOPMENT_API_KEY).toBe('dev-secret-key');
  });

  test('a variable that is empty is one that is not set', () => {
    const names = ['DATABASE_URL', 'DATA_DIR', 'API_KEY', 'READ_ACCESS', 'API_V1_PREFIX', 'ENVIRONMENT', 'LOG_LEVEL'];
    const empty = Object.fromEntries([...names, 'HOST', 'PORT', 'DATABASE_POOL_MAX'].map((name) => [name, '']));
    expect(readConfig(empty)).toEqual(readConfig({}));
  });

  test('is frozen, all of it', () => {
    const config = readConfig({});
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.database)).toBe(true);
  });

  test('reads the process environment by default', () => {
    expect(readConfig().prefix).toMatch(/^\//);
  });

  const URL = 'postgresql://user:p%40ss@db.example:5433/billing?sslmode=require';
  const accepted: [name: string, value: string, read: (config: Config) => unknown, expected: unknown][] = [
    ['DATABASE_URL', URL, ({ databaseUrl }) => databaseUrl, URL],
    ['DATABASE_URL', 'postgres://u@h/d', ({ databaseUrl }) => databaseUrl, 'postgres://u@h/d'],
    ['DATA_DIR', '/srv/billing', ({ dataDir }) => dataDir, '/srv/billing'],
    ['API_KEY', 'short', ({ apiKey }) => apiKey, 'short'],
    ['READ_ACCESS', 'key', ({ readAccess }) => readAccess, 'key'],
    ['READ_ACCESS', 'PUBLIC', ({ readAccess }) => readAccess, 'public'],
    ['API_V1_PREFIX', '/billing/v1', ({ prefix }) => prefix, '/billing/v1'],
    ['API_V1_PREFIX', '/v1/', ({ prefix }) => prefix, '/v1'],
    ['API_V1_PREFIX', '/..v1/v1.0', ({ prefix }) => prefix, '/..v1/v1.0'],
    ['ENVIRONMENT', 'test', ({ environment }) => environment, 'test'],
    ['ENVIRONMENT', 'Development', ({ environment }) => environment, 'development'],
    ['LOG_LEVEL', 'DEBUG', ({ logLevel }) => logLevel, 'debug'],
    ['LOG_LEVEL', 'Warn', ({ logLevel }) => logLevel, 'warn'],
    ['LOG_LEVEL', 'WARNING', ({ logLevel }) => logLevel, 'warn'],
    ['LOG_LEVEL', 'critical', ({ logLevel }) => logLevel, 'fatal'],
    ['LOG_LEVEL', 'silent', ({ logLevel }) => logLevel, 'silent'],
    ['HOST', '127.0.1.1', ({ host }) => host, '127.0.1.1'],
    ['HOST', '127.0.1.1', ({ allowedHosts }) => allowedHosts, ['localhost', '127.0.0.1', '[::1]', '127.0.1.1']],
    [
      'ALLOWED_HOSTS',
      'Billing.example.com, [::1],,10.0.0.7',
      (c) => c.allowedHosts,
      ['billing.example.com', '[::1]', '10.0.0.7'],
    ],
    [
      'CORS_ORIGINS',
      'https://a.example, http://localhost:5173',
      ({ corsOrigins }) => corsOrigins,
      ['https://a.example', 'http://localhost:5173'],
    ],
    ['ALLOWED_HOSTS', 'localhost,*', ({ allowedHosts }) => allowedHosts, null],
    ['PORT', '0', ({ port }) => port, 0],
    ['PORT', '65535', ({ port }) => port, 65_535],
    ['DATABASE_POOL_MAX', '1', ({ database }) => database.connectionsMax, 1],
    ['DATABASE_PREPARE', 'false', ({ database }) => database.prepare, false],
    ['DATABASE_CONNECT_TIMEOUT_MS', '100', ({ database }) => database.connectTimeoutMs, 100],
    ['DATABASE_STATEMENT_TIMEOUT_MS', '600000', ({ database }) => database.statementTimeoutMs, 600_000],
    ['DATABASE_LOCK_TIMEOUT_MS', '50', ({ database }) => database.lockTimeoutMs, 50],
    ['DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS', '5000', ({ database }) => database.idleInTransactionTimeoutMs, 5_000],
    ['SHUTDOWN_DELAY_MS', '8000', ({ shutdownDelayMs }) => shutdownDelayMs, 8_000],
    ['RATE_LIMIT_PER_MINUTE', '600', ({ rateLimitPerMinute }) => rateLimitPerMinute, 600],
    ['CONNECTIONS_PER_ADDRESS_MAX', '64', ({ connectionsPerAddressMax }) => connectionsPerAddressMax, 64],
    ['WORKER', 'OFF', ({ worker }) => worker, false],
    ['TRUST_PROXY', '2', ({ trustProxy }) => trustProxy, 2],
    [
      'TRUST_PROXY',
      '10.0.0.5, fd00::/8,loopback',
      ({ trustProxy }) => trustProxy,
      ['10.0.0.5', 'fd00::/8', 'loopback'],
    ],
  ];
  test.each(accepted)('takes %s=%s', (name, value, read, expected) => {
    expect(read(readConfig({ [name]: value }))).toEqual(expected);
  });

  test.each([
    ['DATABASE_URL', 'db.example:5432/billing'],
    ['DATABASE_URL', 'mysql://u:p@h/d'],
    ['DATABASE_URL', 'postgresql://u:p@h'],
    ['DATABASE_URL', 'postgresql://u:p@h/'],
    ['DATABASE_URL', 'postgresql:///d'],
    ['DATABASE_URL', 'postgresql://u:100%@h/d'],
    ['DATABASE_MIGRATION_URL', 'nonsense'],
    ['API_KEY', 'with space'],
    ['API_KEY', 'clave-ñ'],
    ['READ_ACCESS', 'private'],
    ['API_V1_PREFIX', 'api'],
    ['API_V1_PREFIX', '/'],
    ['API_V1_PREFIX', '/api//v1'],
    ['API_V1_PREFIX', '/api/:id'],
    ['API_V1_PREFIX', '/*'],
    ['API_V1_PREFIX', '/api/../v1'],
    ['API_V1_PREFIX', '/.'],
    ['ALLOWED_HOSTS', 'https://billing.example.com'],
    ['CORS_ORIGINS', '*'],
    ['CORS_ORIGINS', 'null'],
    ['CORS_ORIGINS', 'console.example.com'],
    ['CORS_ORIGINS', 'https://console.example.com/'],
    ['CORS_ORIGINS', 'https://console.example.com:443'],
    ['CORS_ORIGINS', 'ftp://console.example.com'],
    ['ALLOWED_HOSTS', 'billing.example.com:8000'],
    ['ALLOWED_HOSTS', ' , '],
    ['ENVIRONMENT', 'staging'],
    ['LOG_LEVEL', 'LOUD'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '80.5'],
    ['PORT', '0x50'],
    ['PORT', '1e3'],
    ['PORT', ' 80'],
    ['PORT', '99999999999'],
    ['DATABASE_POOL_MAX', '0'],
    ['DATABASE_PREPARE', 'yes'],
    ['DATABASE_CONNECT_TIMEOUT_MS', '99'],
    ['DATABASE_STATEMENT_TIMEOUT_MS', '600001'],
    ['DATABASE_LOCK_TIMEOUT_MS', '49'],
    ['DATABASE_IDLE_IN_TRANSACTION_TIMEOUT_MS', '99'],
    ['SHUTDOWN_DELAY_MS', '8001'],
    ['RATE_LIMIT_PER_MINUTE', 'many'],
    ['CONNECTIONS_PER_ADDRESS_MAX', '0'],
    ['CONNECTIONS_PER_ADDRESS_MAX', '2049'],
    ['WORKER', 'no'],
    ['TRUST_PROXY', 'true'],
    ['TRUST_PROXY', '10'],
    ['TRUST_PROXY', 'proxy.example'],
    ['TRUST_PROXY', '10.0.0.0/0'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['TRUST_PROXY', '10.0.0.1,'],
  ])('refuses %s=%s by its name alone', (name, value) => {
    const found = problems({ [name]: value });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(new RegExp(`^${name} `));
  });

  test('refuses a role for migrations without a database for the server', () => {
    const url = 'postgresql://u:p@h/d';
    expect(problems({ DATABASE_MIGRATION_URL: url })).toEqual(['DATABASE_MIGRATION_URL needs DATABASE_URL beside it']);
    expect(readConfig({ DATABASE_MIGRATION_URL: url, DATABASE_URL: url }).databaseMigrationUrl).toBe(url);
  });

  test('names every wrong variable in one message', () => {
    const wrong = {
      ENVIRONMENT: 'staging',
      DATABASE_URL: 'x',
      API_KEY: 'a b',
      READ_ACCESS: 'x',
      API_V1_PREFIX: 'x',
      LOG_LEVEL: 'x',
      PORT: 'x',
    };
    expect(() => readConfig(wrong)).toThrow(/^The configuration is wrong:\n {2}ENVIRONMENT .*/);
    expect(
      problems(wrong)
        .map((problem) => problem.split(' ', 1)[0])
        .sort(),
    ).toEqual(Object.keys(wrong).sort());
  });

  test('repeats no secret in its message', () => {
    expect(problems({ DATABASE_URL: 'http://u:hunter2@h/d', API_KEY: 'hunter 2' }).join()).not.toMatch(/hunter/);
  });
});

describe('a server that others can reach', () => {
  test.each(['0.0.0.0', '::', '192.168.1.7', 'billing.internal', '128.0.0.1', 'localhost.example.com'])(
    'HOST=%s refuses the published key, given or not, and says what to set',
    (HOST) => {
      for (const key of [{}, { API_KEY: DEVELOPMENT_API_KEY }]) {
        expect(problems({ HOST, ...key })).toEqual([
          `API_KEY must be set to a secret of your own where HOST (${HOST}) is not loopback: dev-secret-key is published, so everybody who reaches the server could write. Make one with: openssl rand -hex 32`,
        ]);
      }
      expect(problems({ HOST, API_KEY: 'a-key-of-my-own' })).toEqual([]);
    },
  );

  test.each(['localhost', '127.0.0.1', '127.8.9.10', '::1'])(
    'HOST=%s is loopback: the published key will do',
    (HOST) => {
      expect(problems({ HOST })).toEqual([]);
    },
  );

  // Under which names it is known is not for it to guess, and kubelets ask by address.
  test('answers for any name unless it is told which', () => {
    expect(readConfig({ HOST: '0.0.0.0', API_KEY: 'a-key-of-my-own' }).allowedHosts).toBeNull();
    expect(readConfig({ ...PRODUCTION, HOST: '0.0.0.0', ALLOWED_HOSTS: 'a.example' }).allowedHosts).toEqual([
      'a.example',
    ]);
  });
});

describe('production', () => {
  test('starts with a long key and a choice of who may read', () => {
    expect(problems(PRODUCTION)).toEqual([]);
    expect(problems({ ...PRODUCTION, READ_ACCESS: 'public' })).toEqual([]);
  });

  test.each(['', DEVELOPMENT_API_KEY, 'k'.repeat(31)])('refuses API_KEY=%s', (key) => {
    expect(problems({ ...PRODUCTION, API_KEY: key })).toEqual([expect.stringMatching(/^API_KEY must /)]);
  });

  test('refuses to guess who may read', () => {
    expect(problems({ ...PRODUCTION, READ_ACCESS: '' })).toEqual([
      'READ_ACCESS must be set in production: public or key',
    ]);
  });

  test('names both when both are missing', () => {
    expect(problems({ ENVIRONMENT: 'production' }).map((problem) => problem.split(' ', 1)[0])).toEqual([
      'API_KEY',
      'READ_ACCESS',
    ]);
  });
});

test('a wrong collector or ratio of traces is named like any other variable', () => {
  const wrong = { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector', OTEL_TRACES_SAMPLER_ARG: '2' };
  expect(() => readConfig(wrong)).toThrow(
    /OTEL_EXPORTER_OTLP_ENDPOINT[\s\S]*OTEL_TRACES_SAMPLER_ARG|OTEL_TRACES_SAMPLER_ARG[\s\S]*OTEL_EXPORTER_OTLP_ENDPOINT/,
  );
});
