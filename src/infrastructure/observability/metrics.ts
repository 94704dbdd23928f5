import { readdirSync } from 'node:fs';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { EventLoopDelay } from './event-loop.ts';

type PoolGauge = Readonly<{ total: number; idle: number; waiting: number; max: number }>;

/**
 * Upper ends of the duration buckets, in seconds. Few, because each costs one series per route: a route has 7 series of
 * durations and one for each of 4 classes of status.
 */
const DURATION_BUCKETS_SECONDS = [0.01, 0.05, 0.25, 1];
const OTHER = 'other';
/** A counter's distinct values that come from outside; more count as `other`. */
const SQLSTATES_MAX = 10;

const METHODS = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);
const PAYMENT_LABELS = new Set(['CASH', 'CARD', 'TRANSFER', 'CHECK', 'OTHER', 'none', 'invalid']);

export type PaymentResult = 'recorded' | 'replayed' | 'refused' | 'failed';

type RouteLabels = Readonly<{ method: string; route: string }>;

/**
 * What the process counts, as Prometheus reads it. The number of series is bounded by that of the routes, which are asked
 * for when they are registered, and by this file, whatever clients ask.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #routes = new Map<string, RouteLabels>();
  readonly #durations: Histogram<'method' | 'route'>;
  readonly #requests: Counter<'method' | 'route' | 'status'>;
  readonly #responses: Counter<'status'>;
  readonly #payments: Counter<'method' | 'result'>;
  readonly #retries: Counter<'reason'>;
  readonly #retryReasons = new Set<string>();
  readonly #shed: Counter<'what'>;
  readonly #limited: Counter;
  readonly #aborted: Counter<'what'>;
  readonly #cut: Counter<'why'>;

  constructor(of: { version: string; eventLoop: EventLoopDelay; pools: Readonly<Record<string, () => PoolGauge>> }) {
    const registers = [this.#registry];
    this.#durations = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'From the headers of a request to the end of its answer, by route pattern.',
      labelNames: ['method', 'route'],
      buckets: DURATION_BUCKETS_SECONDS,
      registers,
    });
    this.#requests = new Counter({
      name: 'http_requests_total',
      help: 'Requests answered, by route pattern and class of status.',
      labelNames: ['method', 'route', 'status'],
      registers,
    });
    this.#responses = new Counter({
      name: 'http_responses_total',
      help: 'Answers by exact status.',
      labelNames: ['status'],
      registers,
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
      help: 'Requests turned away with 503 overloaded: lists (statements, reports), rows (single ones) or writes.',
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
    this.#cut = new Counter({
      name: 'http_connections_cut_total',
      help: 'Connections ended: beyond the share of their address, beyond all there may be, or of slow readers.',
      labelNames: ['why'],
      registers,
    });
    // A series that appears with its first event has no increase: of what alerts look at, the zero is shown too.
    for (const what of ['lists', 'rows', 'writes']) this.#shed.inc({ what }, 0);
    for (const what of ['reads', 'writes']) this.#aborted.inc({ what }, 0);
    for (const why of ['share', 'full', 'slow']) this.#cut.inc({ why }, 0);
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
    const labels = this.#labelsOf(methods, pattern);
    return (status, ms) => {
      this.#durations.observe(labels, ms / 1_000);
      this.#requests.inc({ ...labels, status: `${Math.floor(status / 100)}xx` });
      this.#responses.inc({ status });
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

  connectionCut(why: string): void {
    this.#cut.inc({ why });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Everything, in Prometheus' text format. */
  async expose(): Promise<string> {
    return await this.#registry.metrics();
  }

  #labelsOf(methods: string | readonly string[], pattern: string): RouteLabels {
    const method = methods === 'HEAD' ? 'GET' : methods;
    const isKnown = typeof method === 'string' && METHODS.has(method);
    const key = isKnown ? `${method} ${pattern}` : OTHER;
    const known = this.#routes.get(key);
    if (known !== undefined) return known;
    const labels = isKnown ? { method, route: pattern } : { method: OTHER, route: OTHER };
    this.#routes.set(key, labels);
    return labels;
  }
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
