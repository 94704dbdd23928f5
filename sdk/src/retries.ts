import type { RequestContext, RetryContext } from './generated.ts';

/** Answers of a proxy whose server is away for a moment. */
const GATEWAY = new Set([502, 504]);
/** Of these the server says that nothing was done. Anything else may have been: `outcome_unknown` says so. */
const NOTHING_DONE = new Set(['rate_limited', 'overloaded', 'database_busy', 'database_full', 'database_unavailable']);

/**
 * Whether a failed attempt is worth another one, and safe: reads and POSTs (which go under a key) whenever it failed for
 * a moment, changes and removals only when the server says that nothing was done. A PATCH or DELETE whose answer got lost
 * may be done already, and its repeat would be refused as if it had not been.
 */
export async function isWorthRepeating({ request, response }: RetryContext): Promise<boolean> {
  const isSafe = request.method === 'GET' || request.method === 'HEAD' || request.method === 'POST';
  if (response === undefined) return isSafe;
  if (GATEWAY.has(response.status)) return isSafe;
  if (!response.headers.has('retry-after')) return false;
  return isSafe || NOTHING_DONE.has(await codeOf(response.clone()));
}

async function codeOf(response: Response): Promise<string> {
  try {
    const { code }: { code?: unknown } = await response.json();
    return String(code);
  } catch {
    return '';
  }
}

/** A random UUID. Not `crypto.randomUUID`, which browsers keep from pages that came over plain HTTP. */
export function idempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const variant = '89ab'[Number(bytes[8]) % 4];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** Takes the key from what is no POST: the server does not look at it there, so it would promise what nobody keeps. */
export function onlyWhereItCounts({ method, headers }: RequestContext): void {
  if (method !== 'POST') delete headers['Idempotency-Key'];
}

/**
 * A fetch that fails when the answer is cut off anywhere, not only in its first lines: what is read here is one attempt,
 * and a payment whose answer breaks off within the body is asked for again like any other. Files are left as streams.
 */
export function wholeAnswers(send: typeof fetch): typeof fetch {
  return async (input, init) => {
    const response = await send(input, init);
    if (response.body === null || !/json/.test(response.headers.get('content-type') ?? '')) return response;
    const { status, statusText, headers } = response;
    return new Response(await response.arrayBuffer(), { status, statusText, headers });
  };
}
