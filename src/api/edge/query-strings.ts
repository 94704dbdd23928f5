import { parse } from 'fast-querystring';
import type { FastifyInstance } from 'fastify';
import { HttpError } from './problems.ts';

const PARAMETERS_MAX = 100;

/** What stands for a query string that is not read, and how it is refused. */
const TOO_MANY = Object.freeze({});
const UNDECODABLE = Object.freeze({});
const REFUSALS = new Map<unknown, () => HttpError>([
  [TOO_MANY, tooManyParameters],
  [UNDECODABLE, () => new HttpError('url_invalid', 'The query string cannot be decoded')],
]);

/**
 * Reads a query string, unless it has more parameters than anything takes: 3,500 of them took 4 ms. The parser would take
 * what cannot be decoded as it stands, so that `reason=Da%F1ado` would be kept in a document for ever.
 */
export function parseQuery(text: string): Record<string, unknown> {
  let count = 1;
  for (let at = text.indexOf('&'); at !== -1; at = text.indexOf('&', at + 1)) {
    count += 1;
    if (count > PARAMETERS_MAX) return TOO_MANY;
  }
  return isDecodable(text) ? parse(text) : UNDECODABLE;
}

/** Refused like an address whose path cannot be read: before the body is looked at. Call after the hook of the gate. */
export function refuseUnreadableQueries(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    done(REFUSALS.get(request.query)?.());
  });
}

/** Whether its percent signs make UTF-8. Node takes no address with bytes that are not ASCII. */
function isDecodable(text: string): boolean {
  if (!text.includes('%')) return true;
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function tooManyParameters(): HttpError {
  const detail = `must be at most ${PARAMETERS_MAX} parameters`;
  return new HttpError('request_invalid', `More than ${PARAMETERS_MAX} parameters`, {
    errors: [{ pointer: '#', detail }],
  });
}
