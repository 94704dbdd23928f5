import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { HttpError } from './problems.ts';
import { escapePointer } from './validation.ts';

/** Shorter than this no number is rounded: a double keeps every decimal number of 15 digits (IEEE 754, DBL_DIG). */
const LONG_NUMBER = /[\d.]{17}/;
/** Texts and numbers. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.]*(?:[eE][+-]?\d+)?/g;

/** One parser: JSON in UTF-8. An empty body is no body, whatever the content type says. */
export function acceptJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    (_request: FastifyRequest, body: Buffer, done) => {
      if (body.length === 0) {
        done(null, null);
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
 * objects here, so its name is the text before the number.
 */
function findRounded(json: string): string | undefined {
  if (!LONG_NUMBER.test(json)) return undefined;
  let name = '';
  for (const [token] of json.matchAll(TOKENS)) {
    if (token.startsWith('"')) name = token.slice(1, -1);
    else if (LONG_NUMBER.test(token) && isRounded(token)) return name;
  }
  return undefined;
}

/** Whole numbers are left to the bounds of their field, which are those of exact ones. */
function isRounded(number: string): boolean {
  if (/[eE]/.test(number)) return true;
  return number.includes('.') && String(Number(number)) !== number.replace(/\.?0+$/, '');
}

function tooPrecise(name: string): HttpError {
  const errors = [
    { pointer: `#/${escapePointer(name)}`, detail: 'has more digits than a JSON number keeps; send it as text' },
  ];
  return new HttpError('request_invalid', 'The request has invalid fields', { errors });
}
