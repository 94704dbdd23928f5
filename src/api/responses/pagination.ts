import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { isCalendarDate, isTimestamp } from '../../domain/shared/calendar.ts';
import type { Cursor, Page, PageRequest } from '../../domain/shared/page.ts';
import type { Listing } from '../../services/shared/listing.ts';
import { JSON_TYPE } from '../edge/idempotency-key.ts';
import { HttpError } from '../edge/problems.ts';

export const LIMIT_MAX = 1_000;
export const LIMIT_DEFAULT = 100;
const OFFSET_MAX = Number.MAX_SAFE_INTEGER;
const CURSOR_MAX = 500;

/** Query parameters every list takes. */
export const PAGE_PARAMETERS = {
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: LIMIT_MAX, default: LIMIT_DEFAULT, description: 'Rows on a page.' }),
  ),
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: OFFSET_MAX, description: 'Rows to skip. Default 0.' })),
  cursor: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: CURSOR_MAX,
      description: 'Opaque place in the list, as given by `Link`. Any page costs the same this way. Excludes `offset`.',
    }),
  ),
  count: Type.Optional(
    Type.Unsafe<'exact' | 'none'>({
      type: 'string',
      enum: ['exact', 'none'],
      default: 'exact',
      description:
        'Whether `X-Total-Count` is sent. Without it, long walks through what a filter matches need not count it at every page.',
    }),
  ),
};

export type PageQuery = { limit?: number; offset?: number; cursor?: string; count?: 'exact' | 'none' };

/** Types of a cursor's values, in the order of the list's columns. */
export type CursorShape = readonly ('id' | 'time' | 'date')[];

/** Of what a cursor is a place. `mark` stands in it, and differs where rows or their order do. */
export type Place = Readonly<{ mark: string; shape: CursorShape }>;

const MARK_LENGTH = 8;

/**
 * The list that an operation answers with for a filter. In another, a cursor would lead to a page that skips rows, or has
 * some that were shown.
 *
 * @param filter JSON: all of what decides which rows there are, and in which order
 */
export function placeIn(operation: string, filter: unknown, shape: CursorShape): Place {
  const text = JSON.stringify([operation, filter]);
  return { mark: createHash('sha256').update(text).digest('base64url').slice(0, MARK_LENGTH), shape };
}

/** @throws HttpError `request_invalid` for a cursor that is none, is of another list, or comes with an offset */
export function readPageRequest(query: PageQuery, place: Place): PageRequest {
  const { limit = LIMIT_DEFAULT, offset = 0, cursor } = query;
  if (cursor === undefined) return { limit, offset, cursor: null };
  if (query.offset !== undefined) throw invalidCursor('cannot be combined with offset');
  return { limit, offset: 0, cursor: decode(cursor, place) };
}

/** Sends a page: a bare array, `X-Total-Count`, and `Link` (RFC 8288) to its neighbours. */
export function sendListing(
  request: FastifyRequest,
  reply: FastifyReply,
  { page, total }: Listing,
  { limit, offset, cursor }: PageRequest,
  place: Place,
): FastifyReply {
  if (total !== null) reply.header('x-total-count', String(total));
  const links = neighbourLinks(request, page, place);
  if (cursor === null && offset > 0) {
    links.push(link(request, 'prev', { offset: String(Math.max(0, offset - limit)) }));
  }
  if (links.length > 0) reply.header('link', links.join(', '));
  return reply.type(JSON_TYPE).send(page.json);
}

/** The values of `Link` for the pages beside one that was reached by cursor. */
export function neighbourLinks(
  request: FastifyRequest,
  { next, prev }: Pick<Page, 'next' | 'prev'>,
  place: Place,
): string[] {
  const links: string[] = [];
  if (next !== null) links.push(link(request, 'next', { cursor: cursorText(next, place) }));
  if (prev !== null) links.push(link(request, 'prev', { cursor: cursorText(prev, place) }));
  return links;
}

/** Says how many rows there are, and where the neighbours of a page are that was reached by offset. */
export function sendOffsetLinks(
  request: FastifyRequest,
  reply: FastifyReply,
  { limit, offset, total }: Readonly<{ limit: number; offset: number; total: number }>,
): void {
  const links: string[] = [];
  if (offset + limit < total) links.push(link(request, 'next', { offset: String(offset + limit) }));
  if (offset > 0) links.push(link(request, 'prev', { offset: String(Math.max(0, offset - limit)) }));
  if (links.length > 0) reply.header('link', links.join(', '));
  reply.header('x-total-count', String(total));
}

function link({ url }: FastifyRequest, rel: string, place: Readonly<Record<string, string>>): string {
  return `<${elsewhere(url, place)}>; rel="${rel}"`;
}

/** The same address at another place of the list. The query begins at the first `?`; later ones are part of it. */
export function elsewhere(url: string, place: Readonly<Record<string, string>>): string {
  const [path = ''] = url.split('?', 1);
  const query = new URLSearchParams(url.slice(path.length));
  query.delete('offset');
  query.delete('cursor');
  for (const [name, value] of Object.entries(place)) query.set(name, value);
  return `${path}?${query.toString()}`;
}

/** It stands in the logs of proxies: ids and times, no names. */
export function cursorText({ direction, key }: Cursor, { mark }: Place): string {
  return Buffer.from(JSON.stringify([direction === 'after' ? 1 : -1, mark, ...key])).toString('base64url');
}

function decode(text: string, { mark, shape }: Place): Cursor {
  const [direction, of, ...key] = parse(text);
  const fits = key.length === shape.length && shape.every((kind, index) => isOfKind(key[index], kind));
  if ((direction !== 1 && direction !== -1) || of !== mark || !fits) {
    throw invalidCursor('is not a cursor of this list, with this filter and order');
  }
  return { direction: direction === 1 ? 'after' : 'before', key: key as (string | number)[] };
}

function parse(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

/** As PostgreSQL writes it into JSON. Not every spelling of RFC 3339 is one it reads: it knows no offset of 20 hours. */
const CURSOR_TIME = /^[\d-]{10}T[\d:]{8}(\.\d{1,6})?(Z|[+-](0\d|1[0-5]):\d{2})$/;

function isOfKind(value: unknown, kind: CursorShape[number]): boolean {
  if (kind === 'id') return typeof value === 'number' && Number.isSafeInteger(value);
  if (typeof value !== 'string') return false;
  return kind === 'date' ? isCalendarDate(value) : CURSOR_TIME.test(value) && isTimestamp(value);
}

function invalidCursor(detail: string): HttpError {
  return new HttpError('request_invalid', `cursor ${detail}`, { errors: [{ pointer: '#/cursor', detail }] });
}
