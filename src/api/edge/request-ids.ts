import { randomBytes } from 'node:crypto';

/** What a client may call its own request: nothing that would have to be escaped in a log or a header. */
const SANE = /^[A-Za-z0-9._:/+=@-]{1,128}$/;

export type RequestIds = (request: { headers: Record<string, unknown> }) => string;

/** A client's own id if it is sane, else a short one that is unique to this process and moment. */
export function requestIds(): RequestIds {
  const prefix = randomBytes(6).toString('base64url');
  let counter = 0;
  return ({ headers }) => {
    const given = headers['x-request-id'];
    if (typeof given === 'string' && SANE.test(given)) return given;
    counter += 1;
    return `${prefix}-${counter.toString(36)}`;
  };
}
