import { ApiError, type Client, createClient, OPERATIONS, type Ops, type Problem } from './generated.ts';
import { FILES } from './operations.ts';
import { idempotencyKey, isWorthRepeating, onlyWhereItCounts, wholeAnswers } from './retries.ts';

export type * from './generated.ts';
export { ApiError, TimeoutError } from './generated.ts';
export type { ProblemCodes } from './operations.ts';

export type ConnectOptions = Readonly<{
  /** Where the server is, such as https://billing.example.com */
  server: string;
  /** Writes need it, and reads where the server is told so. */
  apiKey?: string;
  /** How often a call that failed for a moment is sent again. */
  retries?: number;
  /** For one attempt, its answer included. */
  timeoutMs?: number;
  fetch?: typeof fetch;
}>;

type Formats = typeof FILES;

export type BillingClient = Client<Ops> &
  Readonly<{
    /**
     * The same as CSV, XLSX or PDF. @param language of a PDF; without it that of the school's country
     *
     * @throws ApiError see {@link problemOf}
     */
    file<Id extends keyof Formats>(
      operation: Id,
      args: Ops[Id]['args'],
      format: keyof Formats[Id],
      language?: 'es' | 'en' | 'pt',
    ): Promise<Blob>;
  }>;

const RETRIES = 5;
const RETRY_DELAY_MS = 250;
const TIMEOUT_MS = 30_000;

/**
 * A client of one server: a function for every operation, named as in the OpenAPI document. Every call that may be sent
 * again is, with pauses that the server asks for or that grow: a POST always under one Idempotency-Key, so it is done
 * once. `client.listInvoices.items(…)` goes through all pages.
 */
export function connect(options: ConnectOptions): BillingClient {
  const { server, apiKey, retries = RETRIES, timeoutMs = TIMEOUT_MS } = options;
  const client = createClient<Ops>(OPERATIONS, {
    serverUrl: server.replace(/\/+$/, ''),
    argsStyle: 'flat',
    clientHeader: false,
    fetch: wholeAnswers(options.fetch ?? fetch),
    timeout: timeoutMs,
    // Not left to the security of each operation: reads need the key too where READ_ACCESS=key.
    headers: apiKey === undefined ? {} : { 'X-API-Key': apiKey },
    idempotencyKey,
    retry: { retries, retryDelay: RETRY_DELAY_MS, retryStrategy: 'exponential', retryOn: isWorthRepeating },
    onRequest: onlyWhereItCounts,
  });
  return Object.assign(client, {
    async file<Id extends keyof Formats>(
      operation: Id,
      args: Ops[Id]['args'],
      format: keyof Formats[Id],
      language?: 'es' | 'en' | 'pt',
    ): Promise<Blob> {
      const read = client[operation] as unknown as (args: object, init: object) => Promise<Blob>;
      const accepted = { Accept: String(FILES[operation][format]) };
      const headers = language === undefined ? accepted : { ...accepted, 'Accept-Language': language };
      return await read(args, { headers, parseAs: 'blob' });
    },
  });
}

/** The problem document of a refusal, for `problemOf(error)?.code`; undefined when something else went wrong. */
export function problemOf(error: unknown): Problem | undefined {
  if (!(error instanceof ApiError) || typeof error.body !== 'object' || error.body === null) return undefined;
  return 'code' in error.body ? (error.body as Problem) : undefined;
}
