import { AsyncLocalStorage } from 'node:async_hooks';
import type { Context, Span, SpanOptions } from '@opentelemetry/api';
import type { Sampler } from '@opentelemetry/sdk-trace-node';

export const TRACES_SAMPLERS = [
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
  'always_on',
  'always_off',
  'traceidratio',
] as const;

export type TracingOptions = Readonly<{
  /** Base address of an OTLP collector that speaks HTTP; spans go to /v1/traces below it. */
  endpoint: string;
  serviceName: string;
  sampler: (typeof TRACES_SAMPLERS)[number];
  /** Part of the traces a `traceidratio` keeps, 0 to 1. */
  ratio: number;
}>;

/** How long a stop waits for the last spans to leave; a collector that is away must not hold it. */
const FLUSH_MAX_MS = 1_000;
/** W3C Trace Context, version 00; later versions begin the same way. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-|$)/;

/** One request's span, from its first hook to its last. */
export interface RequestSpan {
  /** Runs `work` so that what it asks the database for becomes part of this request. */
  run(work: () => void): void;
  end(status: number): void;
}

/**
 * Spans for requests and for what they ask of the database, sent to a collector in batches. Nothing of OpenTelemetry is
 * loaded unless this is called, and nothing global is touched: a process can trace two servers, or one of two.
 */
export async function startTracing(options: TracingOptions, version: string) {
  const [api, sdk, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ]);
  const exporter = new OTLPTraceExporter({ url: `${options.endpoint.replace(/(?<!\/)\/+$/, '')}/v1/traces` });
  const provider = new sdk.NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': options.serviceName, 'service.version': version }),
    sampler: samplerOf(options, sdk),
    spanProcessors: [new sdk.BatchSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer('mattilda-billing', version);
  const active = new AsyncLocalStorage<Context>();
  const { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = api;

  const startChild = (name: string, more: SpanOptions): { span: Span; context: Context } | undefined => {
    const parent = active.getStore();
    // Work that no request asked for, such as cleaning up, would be traces of one span each.
    if (parent === undefined) return undefined;
    const span = tracer.startSpan(name, { kind: SpanKind.CLIENT, ...more }, parent);
    return { span, context: trace.setSpan(parent, span) };
  };
  const fail = (span: Span, error: unknown): void => {
    // The name alone: a driver's message can hold values.
    span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'unknown' });
  };

  return {
    /** @param traceparent of the request: its trace is continued if the header is sane, else a new one begins */
    startRequest(request: { method: string; route: string; id: string; traceparent: unknown }): RequestSpan {
      const { method, route, id, traceparent } = request;
      const [, traceId, spanId, flags] = TRACEPARENT.exec(typeof traceparent === 'string' ? traceparent : '') ?? [];
      const parent =
        traceId === undefined || spanId === undefined || flags === undefined
          ? ROOT_CONTEXT
          : trace.setSpanContext(ROOT_CONTEXT, {
              traceId,
              spanId,
              traceFlags: Number.parseInt(flags, 16) & api.TraceFlags.SAMPLED,
              isRemote: true,
            });
      const attributes = { 'http.request.method': method, 'http.route': route, 'http.request.id': id };
      const span = tracer.startSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes }, parent);
      const context = trace.setSpan(parent, span);
      return {
        run: (work) => active.run(context, work),
        end: (status) => {
          span.setAttribute('http.response.status_code', status);
          if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
          span.end();
        },
      };
    },
    /** Runs `work` in a span of its own below the request's, if there is one. */
    async span<T>(name: string, attributes: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> {
      const child = startChild(name, { attributes });
      if (child === undefined) return await work();
      try {
        return await active.run(child.context, work);
      } catch (error) {
        fail(child.span, error);
        throw error;
      } finally {
        child.span.end();
      }
    },
    /** A span that ends when the returned function is called. */
    open(name: string): () => void {
      const child = startChild(name, {});
      return () => child?.span.end();
    },
    /** Sends what is left, if the collector takes it in time. */
    async stop(): Promise<void> {
      const late = new Promise<void>((resolve) => setTimeout(resolve, FLUSH_MAX_MS).unref());
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
    },
  };
}

export type Tracing = Awaited<ReturnType<typeof startTracing>>;

function samplerOf({ sampler, ratio }: TracingOptions, sdk: typeof import('@opentelemetry/sdk-trace-node')): Sampler {
  const root = sampler.endsWith('traceidratio')
    ? new sdk.TraceIdRatioBasedSampler(ratio)
    : sampler.endsWith('always_off')
      ? new sdk.AlwaysOffSampler()
      : new sdk.AlwaysOnSampler();
  return sampler.startsWith('parentbased_') ? new sdk.ParentBasedSampler({ root }) : root;
}
