import { hash } from 'node:crypto';
import type { FastifyInstance, onSendHookHandler } from 'fastify';
import { isRead } from './route-hooks.ts';

/** One resource, or an account's statement or ledger. Lists change too often for their bodies to be worth a hash. */
const CONDITIONAL = /\/(:id|statement|ledger|pdf)$/;

/**
 * Gives GETs of single resources and statements a strong ETag, and answers 304 to who has that body already.
 *
 * The tag is a hash of the body: 1 µs for an invoice, 6 µs for 8 KB. Tags that could be compared before the body is
 * built were decided against: what a statement shows depends on its invoices, their payments and the day, so knowing
 * that it is unchanged is the same index scan and round trip as reading it, and `updated_at` is the time of the
 * request, not of the commit, so a reader between the two would be told "unchanged" for ever after. What is streamed
 * has no tag, because a tag comes before the body.
 */
export function answerConditionally(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    // Before the other hooks: Fastify's own of a HEAD takes the body away.
    if (isRead(route.method) && CONDITIONAL.test(route.url)) route.onSend = [tag, ...[route.onSend ?? []].flat()];
  });
}

const tag: onSendHookHandler = (request, reply, payload, done) => {
  if (reply.statusCode !== 200 || !(typeof payload === 'string' || Buffer.isBuffer(payload))) {
    done(null, payload);
    return;
  }
  const etag = `"${hash('sha256', payload, 'base64url')}"`;
  reply.header('etag', etag);
  // Kept by the one who asked, and never shown again without asking.
  if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'private, no-cache');
  const known = request.headers['if-none-match'];
  if (known === undefined || request.method !== 'GET' || !matches(known, etag)) {
    done(null, payload);
    return;
  }
  reply.code(304).removeHeader('content-type').removeHeader('content-length');
  done(null, null);
};

/** The weak comparison of RFC 9110, 13.1.2: our tags are quoted digests, so containing one, with or without W/, is equality. */
function matches(known: string, etag: string): boolean {
  return known.includes(etag) || known.trim() === '*';
}
