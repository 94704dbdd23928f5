import { readdirSync } from 'node:fs';
import { Counter, Gauge, Registry } from 'prom-client';
import type { EventLoopDelay } from './event-loop.ts';

type PoolGauge = Readonly<{ total: number; idle: number; waiting: number; max: number }>;

/** Upper ends of the duration buckets, in seconds. Few, because each costs one series per route. */
const DURATION_BUCKETS_SECONDS = [0.01, 0.05, 0.25, 1];
/**
 * Routes with figures of their own; what comes later shares one label. A route has 7 series of durations and one for
 * each of 4 classes of status, so at most 38 · (7 + 4) = 418, which with 80 others at most stays within the 500 promised.
 */
const ROUTES_MAX = 38;
const OTHER = 'other';
const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'];
/** A counter's distinct values that come from outside; more count as `other`. */
const SQLSTATES_MAX = 10;

const METHODS = new Set(['GET', 'POST', 'PATCH', 'DELETE']);
const PAYMENT_LABELS = new Set(['CASH', 'CARD', 'TRANSFER', 'CHECK', 'OTHER', 'none', 'invalid']);

export type PaymentResult = 'recorded' | 'replayed' | 'refused' | 'failed';

/**
 * What the process counts, as Prometheus reads it. The number of series is bounded by this file, whatever clients ask.
 *
 * Requests are tallied in plain numbers and put into prom-client's shape when somebody asks: `Histogram.observe` and
 * `Counter.inc` took 2 to 3 µs a request for sorting and joining labels, the tally takes 0.02 µs.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #tallies = new Map<string, RequestTally>();
  readonly #statusCounts = new Map<number, number>();
  readonly #payments: Counter<'method' | 'result'>;
  readonly #retries: Counter<'reason'>;
  readonly #retryReasons = new Set<string>();
  readonly #shed: Counter<'what'>;
  readonly #limited: Counter;
  readonly #aborted: Counter<'what'>;

  constructor(of: { version: string; eventLoop: EventLoopDelay; pools: Readonly<Record<string, () => PoolGauge>> }) {
    const registers = [this.#registry];
    const tallies = this.#tallies;
    this.#registry.registerMetric(requestCounter(tallies));
    const statusCounts = this.#statusCounts;
    new Counter({
      name: 'http_responses_total',
      help: 'Answers by exact status.',
      labelNames: ['status'],
      registers,
      collect() {
        this.reset();
        for (const [status, count] of statusCounts) this.inc({ status: String(status) }, count);
      },
    });
    this.#payments = new Counter({
      name: 'billing_payments_total',
      help: 'Requests to record a payment, by method and result: recorded, replayed, refused (4xx), failed (5xx).',
      labelNames: ['method', 'result'],
      registers,
    });
    this.#retries = new Counter({
      name: 'database_retries_total',
      help: 'Work that was repeated, by SQLSTATE or connection_lost.',
      labelNames: ['reason'],
      registers,
    });
    this.#shed = new Counter({
      name: 'http_requests_shed_total',
      help: 'Requests turned away with 503 overloaded: by the threshold for reads, or by that for all.',
      labelNames: ['what'],
      registers,
    });
    this.#limited = new Counter({
      name: 'http_requests_limited_total',
      help: 'Requests turned away with 429 rate_limited.',
      registers,
    });
    this.#aborted = new Counter({
      name: 'http_requests_aborted_total',
      help: 'Requests whose client left before it had the whole answer.',
      labelNames: ['what'],
      registers,
    });
    // A series that appears with its first event has no increase: of what alerts look at, the zero is shown too.
    for (const what of ['reads', 'all']) this.#shed.inc({ what }, 0);
    for (const what of ['reads', 'writes']) this.#aborted.inc({ what }, 0);
    for (const method of PAYMENT_LABELS) this.#payments.inc({ method, result: 'failed' }, 0);
    registerPools(this.#registry, of.pools);
    registerProcess(this.#registry, of);
  }

  /**
   * The meter of one route, to be asked for once, when the route is registered.
   *
   * @param methods one method, or several for a route that only refuses
   */
  route(methods: string | readonly string[], pattern: string): (status: number, ms: number) => void {
    const tally = this.#tallyOf(methods, pattern);
    const statuses = this.#statusCounts;
    return (status, ms) => {
      tally.add(status, ms / 1_000);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    };
  }

  /** @param method as the client wrote it */
  paymentAnswered(method: unknown, result: PaymentResult): void {
    const name = method === null || method === undefined ? 'none' : String(method);
    this.#payments.inc({ method: PAYMENT_LABELS.has(name) ? name : 'invalid', result });
  }

  /** @param reason an SQLSTATE, or `connection_lost` */
  workRepeated(reason: string): void {
    if (this.#retryReasons.size < SQLSTATES_MAX) this.#retryReasons.add(reason);
    this.#retries.inc({ reason: this.#retryReasons.has(reason) ? reason : OTHER });
  }

  requestShed(what: string): void {
    this.#shed.inc({ what });
  }

  requestLimited(): void {
    this.#limited.inc();
  }

  requestAborted(what: 'reads' | 'writes'): void {
    this.#aborted.inc({ what });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Everything, in Prometheus' text format. */
  async expose(): Promise<string> {
    return `${await this.#registry.metrics()}\n${durationText(this.#tallies.values())}`;
  }

  #tallyOf(methods: string | readonly string[], pattern: string): RequestTally {
    const method = methods === 'HEAD' ? 'GET' : methods;
    const isKnown = typeof method === 'string' && METHODS.has(method);
    const key = isKnown ? `${method} ${pattern}` : OTHER;
    const known = this.#tallies.get(key);
    if (known !== undefined) return known;
    // One place is kept for what shares a label.
    if (key !== OTHER && this.#tallies.size >= ROUTES_MAX - 1) return this.#tallyOf(OTHER, OTHER);
    const tally = new RequestTally(isKnown ? method : OTHER, isKnown ? pattern : OTHER);
    this.#tallies.set(key, tally);
    return tally;
  }
}

/** Figures of one route. */
class RequestTally {
  readonly labels: Readonly<{ method: string; route: string }>;
  /** One more than buckets: what took longer than the last. */
  readonly buckets: number[] = Array<number>(DURATION_BUCKETS_SECONDS.length + 1).fill(0);
  readonly classes: number[] = Array<number>(STATUS_CLASSES.length).fill(0);
  count = 0;
  sumSeconds = 0;

  constructor(method: string, route: string) {
    this.labels = { method, route };
  }

  add(status: number, seconds: number): void {
    let index = 0;
    for (const end of DURATION_BUCKETS_SECONDS) {
      if (seconds <= end) break;
      index += 1;
    }
    this.buckets[index] = (this.buckets[index] ?? 0) + 1;
    const statusClass = Math.floor(status / 100) - 1;
    this.classes[statusClass] = (this.classes[statusClass] ?? 0) + 1;
    this.count += 1;
    this.sumSeconds += seconds;
  }
}

const DURATION = 'http_request_duration_seconds';

/** The tallies as a histogram in text: prom-client lets no histogram be filled from outside. */
function durationText(tallies: Iterable<RequestTally>): string {
  const lines = [
    `# HELP ${DURATION} From the headers of a request to the end of its answer, by route pattern.`,
    `# TYPE ${DURATION} histogram`,
  ];
  for (const { labels, buckets, count, sumSeconds } of tallies) {
    if (count === 0) continue;
    const labelText = `method="${labels.method}",route="${labels.route}"`;
    let below = 0;
    [...DURATION_BUCKETS_SECONDS, '+Inf'].forEach((le, index) => {
      below += buckets[index] ?? 0;
      lines.push(`${DURATION}_bucket{${labelText},le="${le}"} ${below}`);
    });
    lines.push(`${DURATION}_sum{${labelText}} ${sumSeconds}`, `${DURATION}_count{${labelText}} ${count}`);
  }
  return `${lines.join('\n')}\n`;
}

function requestCounter(tallies: ReadonlyMap<string, RequestTally>): Counter<'method' | 'route' | 'status'> {
  return new Counter({
    name: 'http_requests_total',
    help: 'Requests answered, by route pattern and class of status.',
    labelNames: ['method', 'route', 'status'],
    registers: [],
    collect() {
      this.reset();
      for (const { labels, classes } of tallies.values()) {
        classes.forEach((count, index) => {
          if (count > 0) this.inc({ ...labels, status: STATUS_CLASSES[index] ?? OTHER }, count);
        });
      }
    },
  });
}

function registerPools(registry: Registry, pools: Readonly<Record<string, () => PoolGauge>>): void {
  const gauge = (name: string, help: string, read: (pool: PoolGauge) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ['pool'],
      registers: [registry],
      collect() {
        for (const [pool, state] of Object.entries(pools)) this.set({ pool }, read(state()));
      },
    });
  };
  gauge('database_pool_connections', 'Open connections.', ({ total }) => total);
  gauge('database_pool_connections_idle', 'Open connections without work.', ({ idle }) => idle);
  gauge('database_pool_connections_max', 'Connections there may be.', ({ max }) => max);
  gauge('database_pool_waiting', 'Callers that wait for a connection.', ({ waiting }) => waiting);
}

function registerProcess(registry: Registry, { version, eventLoop }: { version: string; eventLoop: EventLoopDelay }) {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  new Gauge({
    name: 'nodejs_eventloop_lag_seconds',
    help: 'How late the event loop ran since the last time this was read.',
    labelNames: ['of'],
    registers,
    collect() {
      for (const [of, value] of Object.entries(eventLoop.takeSummary())) this.set({ of }, value);
    },
  });
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'User and system time.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  const startedAt = Math.round(Date.now() / 1_000 - process.uptime());
  gauge('process_start_time_seconds', 'Since 1970.', () => startedAt);
  gauge('process_resident_memory_bytes', 'Memory in use.', () => process.memoryUsage.rss());
  gauge('nodejs_heap_size_used_bytes', 'Heap in use.', () => process.memoryUsage().heapUsed);
  gauge('process_open_fds', 'Open files and sockets; 0 where /proc does not tell.', openFiles);
  new Gauge({ name: 'billing_info', help: 'Always 1.', labelNames: ['version', 'node'], registers }).set(
    { version, node: process.version },
    1,
  );
}

function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}
