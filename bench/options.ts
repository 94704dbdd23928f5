import { parseArgs } from 'node:util';

/** School size never changes: a larger data set has more schools, as a growing product does. */
export const SIZES = { XS: 5, S: 50, L: 500 } as const satisfies Record<string, number>;
export type Size = keyof typeof SIZES;

export type Options = Readonly<{
  size: Size;
  /** Case names to run; empty is all. */
  cases: readonly string[];
  clients: readonly number[];
  /** Whether sizes are compared instead of server and limits. */
  growth: boolean;
  /** Whether credentials are compared instead. */
  credentials: boolean;
  /** Whether billing runs and imports of one school are measured instead. */
  year: boolean;
  rounds: number;
  seconds: number;
  fresh: boolean;
  write: boolean;
  json: string | null;
  compare: string | null;
  /** Entry point of the server to measure. */
  server: string;
  help: boolean;
}>;

export const HELP = `Usage: npm run bench -- [options]

Measures the server as users start it, on a PostgreSQL of its own with durable settings, and beside it the limits: the
same SQL from a bare script, the same SQL behind a bare Fastify route, and a bare Fastify route with the same body.

With --growth, what must not get slower with more data, at sizes XS, S and L by turns. With --credentials, the same
requests with the key of the environment, a key bound to every school, and a session, by turns. With --year, billing
runs and imports of one school beside that data.

  --size SIZE        XS (2,000 students), S (20,000; default) or L (200,000); 24 invoices each
  --case NAME,…      only these cases (names: see the table it prints; "start" measures the start)
  --clients N,…      connections that ask one request after the other; default 1,16,64
  --rounds N         interleaved rounds, of which medians are shown; default 3
  --seconds N        length of each measurement; default 2
  --growth           measure growth instead; all of these but --size and --compare hold for it too
  --credentials      measure credentials instead; all of these but --compare hold for it too
  --year             measure billing runs, their preview and imports instead; --size, --rounds, --json and --write hold for it
  --json FILE        write what was measured
  --compare FILE     show an earlier --json beside it
  --write            write bench/results/SIZE.json, bench/RESULTS.md and bench/results.svg
  --server FILE      measure another build, such as that of an older commit; default dist/main.js
  --fresh            make the database anew instead of using the one in bench/.data
  --help             this text`;

/** @throws Error that says which option is wrong */
export function readOptions(argv: readonly string[], defaultServer: string): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      size: { type: 'string', default: 'S' },
      case: { type: 'string', default: '' },
      clients: { type: 'string', default: '1,16,64' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '2' },
      growth: { type: 'boolean', default: false },
      credentials: { type: 'boolean', default: false },
      year: { type: 'boolean', default: false },
      json: { type: 'string' },
      compare: { type: 'string' },
      server: { type: 'string', default: defaultServer },
      fresh: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    size: sizeOf(values.size),
    cases: listOf(values.case),
    clients: listOf(values.clients).map((text) => positive('--clients', text)),
    growth: values.growth,
    credentials: values.credentials,
    year: values.year,
    rounds: positive('--rounds', values.rounds),
    seconds: positive('--seconds', values.seconds),
    fresh: values.fresh,
    write: values.write,
    json: values.json ?? null,
    compare: values.compare ?? null,
    server: values.server,
    help: values.help,
  };
}

function sizeOf(text: string): Size {
  const size = text.toUpperCase();
  if (size === 'XS' || size === 'S' || size === 'L') return size;
  throw new Error(`--size must be one of ${Object.keys(SIZES).join(', ')}`);
}

function listOf(text: string): string[] {
  return text.split(',').filter((part) => part !== '');
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new Error(`${name} must be a number above 0`);
}
