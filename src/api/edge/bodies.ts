import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { scanJson } from './json-scan.ts';
import { HttpError } from './problems.ts';
import { escapePointer, shortened } from './validation.ts';

/** Shorter than this no number is rounded: a double keeps every decimal number of 15 digits (IEEE 754, DBL_DIG). */
const LONG_NUMBER = /[\d.]{17}/;
/** An amount has 13 characters at most. A fraction that is longer than this is not looked at any further. */
const FRACTION_LENGTH_MAX = 32;
/** How deep a pointer goes into a body: no field of ours is nested deeper. */
const DEPTH_SHOWN_MAX = 16;
const BYTE_ORDER_MARK = '\ufeff';

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
      const text = withoutByteOrderMark(body.toString('utf8'));
      if (text === '') {
        done(null, null);
        return;
      }
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        done(notJson(text));
        return;
      }
      done(refusalOf(text), value);
    },
  );
}

/** RFC 8259, section 8.1: it may be ignored. Some libraries of Windows write it. */
function withoutByteOrderMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

function notJson(text: string): HttpError {
  const before = text.slice(0, scanJson(text, isRounded).brokenAt).split('\n');
  const column = [...(before.at(-1) ?? '')].length + 1;
  return new HttpError('json_invalid', `The body is not valid JSON at line ${before.length}, column ${column}`);
}

/** What JSON.parse has taken, and lost something of: two members of one name, or a number it cannot keep. */
function refusalOf(json: string): HttpError | null {
  const { repeated, lost } = scanJson(json, isRounded);
  if (repeated !== undefined) return invalidField(repeated, 'is there more than once');
  return lost === undefined ? null : invalidField(lost, 'has more digits than a JSON number keeps; send it as text');
}

/**
 * Whether a number would not be read as it stands: 1.00000000000000000001 would be a whole one. Whole numbers are left to
 * the bounds of their field, which are those of exact ones.
 */
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

function invalidField(path: readonly string[], detail: string): HttpError {
  const names = path.slice(0, DEPTH_SHOWN_MAX).map((name) => escapePointer(shortened(name)));
  const pointer = `#/${names.join('/')}`;
  return new HttpError('request_invalid', 'The request has invalid fields', { errors: [{ pointer, detail }] });
}
