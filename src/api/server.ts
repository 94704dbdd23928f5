import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type HTTPMethods } from 'fastify';
import type { Clock } from '../domain/shared/ports.ts';
import type { SchoolService } from '../services/accounts/school-service.ts';
import type { StudentService } from '../services/accounts/student-service.ts';
import type { InvoiceService } from '../services/billing/invoice-service.ts';
import type { PaymentService } from '../services/billing/payment-service.ts';
import type { DocumentService } from '../services/documents/document-service.ts';
import type { LedgerService } from '../services/reporting/ledger-service.ts';
import type { ReconciliationService } from '../services/reporting/reconciliation-service.ts';
import type { ReportService } from '../services/reporting/report-service.ts';
import type { StatementService } from '../services/reporting/statement-service.ts';
import { authentication, callers } from './edge/authentication.ts';
import { acceptJsonOnly } from './edge/bodies.ts';
import { clientAddresses, type TrustedProxies } from './edge/client-address.ts';
import {
  answerForNode,
  type ConnectionLimits,
  closeWhileStopping,
  connectionOptions,
  limitConnections,
} from './edge/connection-limits.ts';
import { type Load, shedLoad } from './edge/overload.ts';
import { HttpError, PROBLEM_TYPE, problemBody, problemHandler, sendProblem } from './edge/problems.ts';
import { limitRates } from './edge/rate-limit.ts';
import { compileValidator, refuseUnknownParameters } from './edge/validation.ts';
import { registerDocs } from './ops/docs.ts';
import { healthRoutes, type Readiness } from './ops/health.ts';
import { countRequests, type Metrics, metricsRoute } from './ops/metrics.ts';
import { problemPages } from './ops/problem-pages.ts';
import { type RequestTracing, traceRequests } from './ops/tracing.ts';
import { answerConditionally } from './responses/etag.ts';
import { leaveHeadsUnread } from './responses/streaming.ts';
import { invoiceRoutes } from './v1/invoices.ts';
import { ledgerRoutes } from './v1/ledger.ts';
import { paymentRoutes } from './v1/payments.ts';
import { reconciliationRoutes } from './v1/reconciliation.ts';
import { reportRoutes } from './v1/reports.ts';
import { schoolRoutes } from './v1/schools.ts';
import { statementRoutes } from './v1/statements.ts';
import { studentRoutes } from './v1/students.ts';

export type ServerOptions = Readonly<{
  prefix: string;
  apiKey: string;
  readAccess: 'public' | 'key';
  version: string;
  /** 0: no limit. */
  rateLimitPerMinute: number;
  limits: ConnectionLimits;
  trustProxy: TrustedProxies;
  /** To the database, streams left out. */
  connectionsMax: number;
}>;

/** What the server tells of itself, and knows of how busy it is. */
export type Telemetry = Readonly<{
  metrics: Metrics;
  load: Load;
  /** Null: no traces. */
  tracing: RequestTracing | null;
}>;

export type ServerDependencies = Telemetry &
  Readonly<{
    schools: SchoolService;
    students: StudentService;
    invoices: InvoiceService;
    payments: PaymentService;
    statements: StatementService;
    reconciliation: ReconciliationService;
    ledgers: LedgerService;
    documents: DocumentService;
    reports: ReportService;
    readiness: Readiness & { readonly stopping: boolean };
    clock: Clock;
    log: Readonly<Record<'debug' | 'info' | 'error', (facts: object, event: string) => void>>;
  }>;

const PARAM_LENGTH_MAX = 100;

/** The HTTP face of the product: every route and everything they share. */
export async function buildServer(options: ServerOptions, dependencies: ServerDependencies): Promise<FastifyInstance> {
  const { log, clock, readiness, metrics, load, tracing } = dependencies;
  const { prefix, limits, rateLimitPerMinute: perMinute } = options;
  const gate = authentication(options);
  const addresses = clientAddresses(options.trustProxy);
  const handle = problemHandler(log);
  const requestId = requestIds();
  const app = Fastify({
    logger: false,
    ...connectionOptions(options.limits),
    genReqId: requestId,
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX },
    // An address that cannot be read reaches no hook: what every answer owes is done here.
    frameworkErrors: (error, request, reply) => {
      reply.header('x-request-id', request.id);
      reply.raw.once('finish', () => logRequest(request, reply));
      gate.call(app, request, reply, (refusal) => handle(refusal ?? error, request, reply));
    },
    clientErrorHandler: answerClientError,
    // Fastify's own 503 is no problem document. What still arrives while the server drains is served, and told to close.
    return503OnClosing: false,
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.setErrorHandler(handle);
  app.setValidatorCompiler(compileValidator);
  // Answers are either text already or small objects: a compiled serializer each would cost more at start than it saves.
  app.setSerializerCompiler(() => JSON.stringify);
  acceptJsonOnly(app);
  refuseUnknownParameters(app, prefix);
  limitConnections(app, limits);

  app.decorateRequest('credential', '');
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  answerForNode(app);
  closeWhileStopping(app, readiness);
  traceRequests(app, tracing);
  app.addHook('onRequest', gate);
  // Before the body is looked at: what was sent to an address that does not exist is not worth reading.
  app.addHook('onRequest', (request, _reply, done) => {
    done(request.is404 ? new HttpError('route_not_found', 'There is nothing at this address') : undefined);
  });
  app.addHook('onResponse', (request, reply, done) => {
    logRequest(request, reply);
    done();
  });
  function logRequest({ method, id, routeOptions }: FastifyRequest, reply: FastifyReply): void {
    const { statusCode: status } = reply;
    const facts = { request_id: id, method, route: routeOptions.url ?? null, status, ms: roundMs(reply.elapsedTime) };
    // Balancers ask every second or two, of every process: that all is well would be most of the log.
    if (routeOptions.config.isProbe === true && status < 400) log.debug(facts, 'request_completed');
    else log.info(facts, 'request_completed');
  }

  answerConditionally(app);
  leaveHeadsUnread(app);
  limitRates(app, {
    prefix,
    perMinute,
    callerOf: callers(options, addresses),
    now: () => clock.now().getTime(),
    onLimited: () => metrics.requestLimited(),
  });
  const countRefused = metrics.route([], '');
  shedLoad(app, {
    prefix,
    load,
    connections: options.connectionsMax,
    onShed: (what) => metrics.requestShed(what),
    refusals: {
      isOpen: () => !readiness.stopping,
      requestId,
      onRefused: ({ method, id, status, ms }) => {
        countRefused(status, ms);
        log.info({ request_id: id, method, route: null, status, ms: roundMs(ms) }, 'request_completed');
      },
    },
  });
  countRequests(app, { prefix, metrics, log });

  const methods = collectMethods(app);
  registerDocs(app, options);
  healthRoutes(app, readiness);
  metricsRoute(app, metrics);
  problemPages(app);
  await app.register(
    (routes, _options, done) => {
      const typed = routes.withTypeProvider<TypeBoxTypeProvider>();
      schoolRoutes(typed, dependencies.schools);
      studentRoutes(typed, dependencies.students);
      invoiceRoutes(typed, dependencies.invoices, dependencies.documents);
      paymentRoutes(typed, dependencies);
      statementRoutes(typed, dependencies, options.version);
      reconciliationRoutes(typed, dependencies.reconciliation);
      ledgerRoutes(typed, dependencies.ledgers, dependencies.documents);
      reportRoutes(typed, dependencies.reports);
      done();
    },
    { prefix },
  );
  refuseOtherMethods(app, methods);
  app.setNotFoundHandler((request, reply) => {
    sendProblem(new HttpError('route_not_found', 'There is nothing at this address'), request, reply);
  });
  return app;
}

function roundMs(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** A client's own id if it is sane, else a short one that is unique to this process and moment. */
function requestIds(): (request: { headers: Record<string, unknown> }) => string {
  const prefix = randomBytes(6).toString('base64url');
  let counter = 0;
  return ({ headers }) => {
    const given = headers['x-request-id'];
    if (typeof given === 'string' && /^[A-Za-z0-9._:/+=@-]{1,128}$/.test(given)) return given;
    counter += 1;
    return `${prefix}-${counter.toString(36)}`;
  };
}

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

function collectMethods(app: FastifyInstance): Map<string, Set<string>> {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    for (const one of [method].flat()) known.add(one);
    methods.set(url, known);
  });
  return methods;
}

/** An address that exists answers 405 with what it allows to every other method, instead of pretending not to exist. */
function refuseOtherMethods(app: FastifyInstance, methods: ReadonlyMap<string, ReadonlySet<string>>): void {
  for (const [url, known] of [...methods]) {
    const others = METHODS.filter((method) => !known.has(method));
    if (url.includes('*') || others.length === 0) continue;
    const allow = [...known].join(', ');
    app.route({
      method: [...others],
      url,
      schema: { hide: true },
      // Before the body is looked at, which may be of any type and size.
      onRequest: (request, _reply, done) => {
        const detail = `${request.method} is not allowed here; allowed: ${allow}`;
        done(new HttpError('method_not_allowed', detail, { headers: { allow } }));
      },
      handler: () => undefined,
    });
  }
}

/** What Node's parser refuses before there is a request: answered on the bare socket, as a problem document too. */
function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'headers_too_large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'request_timeout'
        : 'request_malformed';
  const id = randomBytes(6).toString('base64url');
  const body = problemBody(code, 'The request could not be read', { url: '', id });
  const text = JSON.stringify(body);
  const { status, title } = body as { status: number; title: string };
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(text)}\r\nX-Request-Id: ${id}\r\nConnection: close\r\n\r\n${text}`,
  );
}
