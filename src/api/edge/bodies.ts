import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { HttpError } from './problems.ts';
import { escapePointer } from './validation.ts';

/** Shorter than this no number is rounded: a double keeps every decimal number of 15 digits (IEEE 754, DBL_DIG). */
const LONG_NUMBER = /[\d.]{17}/;
/** An amount has 13 characters at most. A fraction that is longer than this is not looked at any further. */
const FRACTION_LENGTH_MAX = 32;
const OF_NUMBERS = '0123456789+-.eE';

/** One parser: JSON in UTF-8. An empty body is no body, whatever the content type says. */
export function acceptJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    ({ headers }: FastifyRequest, body: Buffer, done) => {
      if (body.length === 0) {
        done(null, null);
        return;
      }
      const encoding = headers['content-encoding'] ?? 'identity';
      if (encoding.trim().toLowerCase() !== 'identity') {
        // RFC 9110, section 15.5.16: Accept-Encoding in the answer says that it is this, and not the media type.
        const more = { headers: { 'accept-encoding': 'identity' } };
        done(new HttpError('media_type_unsupported', 'The body must not be compressed (Content-Encoding)', more));
        return;
      }
      if (!isUtf8(body)) {
        done(new HttpError('json_invalid', 'The body is not UTF-8'));
        return;
      }
      const text = body.toString('utf8');
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        done(new HttpError('json_invalid', 'The body is not valid JSON'));
        return;
      }
      const rounded = findRounded(text);
      done(rounded === undefined ? null : tooPrecise(rounded), value);
    },
  );
}

/**
 * The field whose number would not be read as it stands: 1.00000000000000000001 would be a whole one. Fields hold no
 * objects here, so its name is the text before the number. Looks at every character once.
 *
 * @param json that JSON.parse has taken
 */
function findRounded(json: string): string | undefined {
  if (!LONG_NUMBER.test(json)) return undefined;
  let name = '';
  for (let at = 0; at < json.length; ) {
    const char = json.charAt(at);
    const end = char === '"' ? endOfText(json, at) : endOfNumber(json, at);
    if (char === '"') name = json.slice(at + 1, end - 1);
    else if (isRounded(json.slice(at, end))) return name;
    at = Math.max(end, at + 1);
  }
  return undefined;
}

/** @returns the place behind the closing quote */
function endOfText(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json.charAt(at) !== '"') at += json.charAt(at) === '\\' ? 2 : 1;
  return at + 1;
}

/** @returns `start` where no number begins */
function endOfNumber(json: string, start: number): number {
  let at = start;
  while (at < json.length && OF_NUMBERS.includes(json.charAt(at))) at += 1;
  return at;
}

/** Whole numbers are left to the bounds of their field, which are those of exact ones. */
function isRounded(number: string): boolean {
  if (!LONG_NUMBER.test(number)) return false;
  if (number.includes('e') || number.includes('E')) return true;
  if (!number.includes('.')) return false;
  return number.length > FRACTION_LENGTH_MAX || String(Number(number)) !== withoutLastZeros(number);
}

function withoutLastZeros(fraction: string): string {
  let end = fraction.length;
  while (fraction.charAt(end - 1) === '0') end -= 1;
  return fraction.slice(0, fraction.charAt(end - 1) === '.' ? end - 1 : end);
}

function tooPrecise(name: string): HttpError {
  const errors = [
    { pointer: `#/${escapePointer(name)}`, detail: 'has more digits than a JSON number keeps; send it as text' },
  ];
  return new HttpError('request_invalid', 'The request has invalid fields', { errors });
}
