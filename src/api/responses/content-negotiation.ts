import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { HttpError } from '../edge/problems.ts';
import { addVary } from './vary.ts';

/** The forms an answer can have. Every one is made from the same projection. */
export type Format = 'json' | 'csv' | 'pdf' | 'xlsx';

/** Of lists: a PDF of a list would be a table nobody asked for. */
export const LIST_FORMATS = ['json', 'csv', 'xlsx'] as const;

export const MEDIA_TYPES = {
  json: 'application/json',
  csv: 'text/csv',
  pdf: 'application/pdf',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
} as const satisfies Readonly<Record<Format, string>>;

/** Ranges of an Accept header that are read; nobody who means it sends more. */
const RANGES_MAX = 50;

/** The `format` query parameter of a route that offers `formats`: for links and browsers, which cannot set a header. */
export function formatParameter<F extends Format>(formats: readonly [F, ...F[]]) {
  return Type.Optional(
    Type.Unsafe<F>({
      type: 'string',
      enum: [...formats],
      description: `Form of the answer: ${formats.join(', ')}. Wins over \`Accept\`. Default: ${formats[0]}.`,
    }),
  );
}

/**
 * The form to answer in: that of `format`, else the one `Accept` likes best, else the first. Of forms liked equally the
 * first of `offered` is taken too, so that a browser's "anything" means JSON where that is first.
 *
 * @throws HttpError `not_acceptable` when `Accept` rules out everything offered
 */
export function formatOf<F extends Format>(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  offered: readonly [F, ...F[]],
  asked: F | undefined,
): F {
  addVary(reply, 'Accept');
  const { accept } = headers;
  if (asked !== undefined) return asked;
  if (accept === undefined || accept === '*/*' || accept === MEDIA_TYPES[offered[0]]) return offered[0];
  const best = preferred(accept, offered, (format) => MEDIA_TYPES[format]);
  if (best !== undefined) return best;
  const types = offered.map((format) => MEDIA_TYPES[format]).join(', ');
  throw new HttpError('not_acceptable', `This address answers as ${types}`);
}

/**
 * Of `offered` what an Accept header likes best, of what it likes equally the first; undefined when it likes none. An empty
 * header asks for nothing in particular, like none.
 */
export function preferred<T>(
  accept: string | undefined,
  offered: readonly [T, ...T[]],
  mediaTypeOf: (one: T) => string,
): T | undefined {
  if (accept === undefined || accept.trim() === '') return offered[0];
  const ranges = parseAccept(accept);
  let best: T | undefined;
  let bestQuality = 0;
  for (const one of offered) {
    const quality = qualityOf(mediaTypeOf(one), ranges);
    if (quality > bestQuality) [best, bestQuality] = [one, quality];
  }
  return best;
}

type Range = Readonly<{ range: string; quality: number }>;

/** RFC 9110, section 12.5.1. What cannot be read is left out. */
function parseAccept(header: string): Range[] {
  return header
    .split(',', RANGES_MAX)
    .map((part) => {
      const [range = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
      return { range, quality: /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(weight) ? Number(weight) : 0 };
    })
    .filter(({ range }) => range.includes('/'));
}

/** The most specific range decides, whatever its weight: "text/csv;q=0, *" excludes CSV. */
function qualityOf(mediaType: string, ranges: readonly Range[]): number {
  const family = `${mediaType.slice(0, mediaType.indexOf('/'))}/*`;
  for (const name of [mediaType, family, '*/*']) {
    const found = ranges.find(({ range }) => range === name);
    if (found !== undefined) return found.quality;
  }
  return 0;
}
