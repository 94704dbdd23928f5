import { pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { constants, createGzip, gzip } from 'node:zlib';
import negotiator from '@fastify/accept-negotiator';
import type { FastifyInstance, FastifyReply, onSendHookHandler } from 'fastify';
import { addVary } from './vary.ts';

/** Smaller ones fit into one packet as they are. In bytes, or in characters of a text, which are hardly fewer. */
const LENGTH_MIN = 1_024;
/** JSON of rows shrinks to a sixth of its size; the slowest level would save another eighth of that for three times the time. */
const OPTIONS = { level: constants.Z_BEST_SPEED };
/** What every client knows that knows any. */
const ENCODINGS = ['gzip'];
const COMPRESSIBLE = /^text\/|[/+](?:json|xml|javascript)\b/;

const compressed = promisify<Buffer | string, { level: number }, Buffer>(gzip);
/** What is kept to be sent again and again, the pages of /docs, is compressed once. */
const kept = new WeakMap<Buffer, Promise<Buffer>>();

/**
 * Compresses answers for clients that say they take it (`Accept-Encoding`): whole ones from 1 kB on, streamed ones as they
 * come. A strong ETag becomes a weak one, because it names other bytes; `If-None-Match` takes both.
 *
 * Register before {@link answerConditionally} and {@link leaveHeadsUnread}, which then come first for each answer.
 */
export function compressAnswers(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    // Before Fastify's own of a HEAD, which takes the body away: it then tells the length that GET's answer has.
    route.onSend = [compress, ...[route.onSend ?? []].flat()];
  });
}

const compress: onSendHookHandler = (request, reply, payload, done) => {
  if (!isCompressible(reply, payload)) {
    done(null, payload);
    return;
  }
  addVary(reply, 'Accept-Encoding');
  if (negotiator.negotiate(request.headers['accept-encoding'] ?? '', ENCODINGS) === null) {
    done(null, payload);
    return;
  }
  reply.header('content-encoding', 'gzip').removeHeader('content-length');
  weakenTag(reply);
  // Nothing is to be read of a HEAD.
  if (payload instanceof Readable) done(null, request.method === 'HEAD' ? payload : streamed(payload));
  else shrink(payload).then((bytes) => done(null, bytes), done);
};

function isCompressible(reply: FastifyReply, payload: unknown): payload is string | Buffer | Readable {
  if (reply.hasHeader('content-encoding') || !COMPRESSIBLE.test(String(reply.getHeader('content-type')))) return false;
  if (payload instanceof Readable) return true;
  return (typeof payload === 'string' || Buffer.isBuffer(payload)) && payload.length >= LENGTH_MIN;
}

async function shrink(payload: string | Buffer): Promise<Buffer> {
  if (typeof payload === 'string') return await compressed(payload, OPTIONS);
  const shrinking = kept.get(payload) ?? compressed(payload, OPTIONS);
  kept.set(payload, shrinking);
  return await shrinking;
}

/** Whichever of the two ends too early ends the other: a reader that leaves gives back what the source holds. */
function streamed(source: Readable): Readable {
  return pipeline(source, createGzip(OPTIONS), () => undefined);
}

function weakenTag(reply: FastifyReply): void {
  const tag = reply.getHeader('etag');
  if (typeof tag === 'string' && tag.startsWith('"')) reply.header('etag', `W/${tag}`);
}
