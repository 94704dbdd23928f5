import Fastify, { type FastifyInstance, type onRequestHookHandler } from 'fastify';
import type { ExportService } from '../services/access/export-service.ts';
import { checkHost } from './edge/allowed-hosts.ts';
import { type ApiKeys, authentication, callers, keyCheck, nameCallers } from './edge/authentication.ts';
import { authorization, requireScopes } from './edge/authorization.ts';
import { acceptJsonOnly } from './edge/bodies.ts';
import { answerClientError } from './edge/client-errors.ts';
import { allowOrigins } from './edge/cross-origin.ts';
import { type ClientAddresses, clientAddresses, type TrustedProxies } from './edge/load/client-address.ts';
import {
  answerForNode,
  type ConnectionLimits,
  closeWhileStopping,
  connectionOptions,
} from './edge/load/connection-limits.ts';
import { type CutReason, limitConnections } from './edge/load/connections.ts';
import { type LongAnswers, shareLongAnswers } from './edge/load/long-answers.ts';
import { type Load, type Refusals, shedLoad } from './edge/load/overload.ts';
import { limitPipelining } from './edge/load/pipelining.ts';
import { cutSlowReaders } from './edge/load/slow-readers.ts';
import { problemHandler } from './edge/problems.ts';
import { parseQuery, refuseUnreadableQueries } from './edge/query-strings.ts';
import { rateLimit } from './edge/rate-limit.ts';
import { type RequestIds, requestIds } from './edge/request-ids.ts';
import { logRequest, logRequests, type RequestLog, roundMs } from './edge/request-log.ts';
import { SAFE_HEADERS, sendSafeHeaders } from './edge/safe-headers.ts';
import { sessions } from './edge/sign-in/sessions.ts';
import { collectAddresses, refuseOtherMethods, refuseUnknownAddresses } from './edge/unknown-addresses.ts';
import { compileValidator, refuseUnknownParameters } from './edge/validation.ts';
import { registerDocs } from './ops/docs.ts';
import { healthRoutes, type Readiness } from './ops/health.ts';
import { countRequests, type Metrics, metricsRoute } from './ops/metrics.ts';
import { indexPage } from './ops/pages.ts';
import { problemPages } from './ops/problem-pages.ts';
import { type RequestTracing, traceRequests } from './ops/tracing.ts';
import { keepExports } from './personal-data.ts';
import { compressAnswers } from './responses/compression.ts';
import { answerConditionally } from './responses/etag.ts';
import { leaveHeadsUnread } from './responses/streaming.ts';
import { type Services, v1Routes } from './v1/index.ts';

export type ServerOptions = Readonly<{
  prefix: string;
  apiKey: string;
  readAccess: 'public' | 'key';
  /** Null: all of them. */
  allowedHosts: readonly string[] | null;
  /** Of pages that may use the API in a browser. */
  corsOrigins: readonly string[];
  version: string;
  /** 0: no limit. */
  rateLimitPerMinute: number;
  limits: ConnectionLimits;
  trustProxy: TrustedProxies;
  /** Where people reach the server; null: wherever they asked. */
  publicUrl: string | null;
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
  Services &
  Readonly<{
    readiness: Readiness & { readonly stopping: boolean };
    longAnswers: LongAnswers;
    apiKeyVerifier: ApiKeys;
    exports: ExportService;
    log: RequestLog & Readonly<{ error(facts: object, event: string): void }>;
  }>;

const PARAM_LENGTH_MAX = 100;

/**
 * The HTTP face of the product. In the order in which a request meets it: what every answer owes, the gate, what is
 * refused before it costs anything, and the routes.
 */
export async function buildServer(options: ServerOptions, dependencies: ServerDependencies): Promise<FastifyInstance> {
  const { log, metrics, readiness, tracing, longAnswers, apiKeyVerifier } = dependencies;
  const clients = clientAddresses(options.trustProxy);
  const callerOf = callers(clients);
  const onLimited = (): void => metrics.requestLimited();
  const limit = rateLimit({
    prefix: options.prefix,
    perMinute: options.rateLimitPerMinute,
    callerOf,
    onLimited,
  });
  const findPrincipal = dependencies.sessions.findPrincipal.bind(dependencies.sessions);
  const gate = inTurn(
    authentication(options, apiKeyVerifier),
    limit,
    sessions(findPrincipal),
    authorization({ readAccess: options.readAccess, addresses: clients, onLimited }),
  );
  const requestId = requestIds();
  const app = createApp(options, { gate, log, requestId });

  app.decorateRequest('identity');
  app.decorateRequest('actor');
  nameCallers(app, callerOf);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  sendSafeHeaders(app);
  allowOrigins(app, options.corsOrigins);
  answerForNode(app);
  checkHost(app, options.allowedHosts);
  closeWhileStopping(app, readiness);
  traceRequests(app, tracing);
  app.addHook('onRequest', gate);
  const addresses = collectAddresses(app);
  refuseUnknownAddresses(app, addresses);
  refuseUnreadableQueries(app);
  logRequests(app, log);

  compressAnswers(app);
  answerConditionally(app);
  leaveHeadsUnread(app);
  limitWork(app, options, dependencies, requestId);
  const onCut = (why: CutReason): void => metrics.connectionCut(why);
  const connections = limitConnections(app, { limits: options.limits, addresses: clients, onCut });
  cutSlowReaders(app, connections, options.limits);
  keepExports(app, { exports: dependencies.exports, addresses: clients });
  shareLongAnswers(app, { places: longAnswers, callerOf: ({ callerName }) => callerName });

  await registerRoutes(app, options, dependencies, clients);
  requireScopes(addresses);
  refuseOtherMethods(app, addresses);
  return app;
}

/** Each only where those before have nothing against it. */
function inTurn(...hooks: readonly (onRequestHookHandler | undefined)[]): onRequestHookHandler {
  return hooks
    .filter((hook) => hook !== undefined)
    .reduceRight(
      (next, hook) =>
        function (request, reply, done) {
          hook.call(this, request, reply, (refusal) => {
            if (refusal === undefined) next.call(this, request, reply, done);
            else done(refusal);
          });
        },
    );
}

type Edge = Readonly<{ gate: onRequestHookHandler; log: ServerDependencies['log']; requestId: RequestIds }>;

/** An empty server: how requests are read, and refused when they cannot be. */
function createApp(options: ServerOptions, { gate, log, requestId }: Edge): FastifyInstance {
  const handle = problemHandler(log);
  const app = Fastify({
    logger: false,
    ...connectionOptions(options.limits),
    genReqId: requestId,
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX, querystringParser: parseQuery },
    // An address that cannot be read reaches no hook: what every answer owes is done here.
    frameworkErrors: (error, request, reply) => {
      reply.headers(SAFE_HEADERS).header('x-request-id', request.id);
      reply.raw.once('finish', () => logRequest(log, request, reply));
      gate.call(app, request, reply, (refusal) => handle(refusal ?? error, request, reply));
    },
    clientErrorHandler: answerClientError,
    // Fastify's own 503 is no problem document. What still arrives while the server drains is served, and told to close.
    return503OnClosing: false,
  });
  app.setErrorHandler(handle);
  app.setValidatorCompiler(compileValidator);
  // Answers are either text already or small objects: a compiled serializer each would cost more at start than it saves.
  app.setSerializerCompiler(() => JSON.stringify);
  acceptJsonOnly(app);
  refuseUnknownParameters(app, options.prefix);
  return app;
}

/** Load shedding, and the counts of it and of everything that is answered. */
function limitWork(
  app: FastifyInstance,
  options: ServerOptions,
  { load, log, metrics, readiness, apiKeyVerifier }: ServerDependencies,
  requestId: RequestIds,
): void {
  const { prefix, corsOrigins } = options;
  const countRefused = metrics.route([], '');
  /** What hooks do for other answers: those in front of routing have none. */
  const onRefused: Refusals['onRefused'] = ({ method, id, status, ms }) => {
    countRefused(status, ms);
    log.info({ request_id: id, method, route: null, status, ms: roundMs(ms) }, 'request_completed');
  };
  shedLoad(app, {
    prefix,
    isKnown: keyCheck(options, apiKeyVerifier),
    load,
    connections: options.connectionsMax,
    onShed: (what) => metrics.requestShed(what),
    refusals: {
      // A page of another origin may only read what the hooks have allowed it to: also that it should come again.
      isOpen: ({ headers }) => !readiness.stopping && (corsOrigins.length === 0 || headers.origin === undefined),
      requestId,
      onRefused,
    },
  });
  countRequests(app, { prefix, metrics, log });
  // In front of all others who listen for requests.
  limitPipelining(app, { limits: options.limits, requestId, onRefused });
}

async function registerRoutes(
  app: FastifyInstance,
  options: ServerOptions,
  dependencies: ServerDependencies,
  addresses: ClientAddresses,
): Promise<void> {
  const { prefix, version: release, publicUrl } = options;
  await registerDocs(app, options);
  healthRoutes(app, dependencies.readiness);
  metricsRoute(app, dependencies.metrics);
  problemPages(app);
  indexPage(app, options);
  await app.register(
    (routes, _options, done) => {
      v1Routes(routes, dependencies, { release, publicUrl, addresses });
      done();
    },
    { prefix },
  );
}
