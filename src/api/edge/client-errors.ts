import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { type HttpCode, PROBLEM_TYPE, PROBLEMS, problemBody } from './problems.ts';
import { SAFE_HEADER_LINES } from './safe-headers.ts';

/** What Node's parser refuses with a code of its own. Anything else is no HTTP. */
const CODES: Readonly<Record<string, HttpCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** What Node's parser refuses before there is a request: answered on the bare socket, as a problem document too. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = CODES[error.code ?? ''] ?? 'request_malformed';
  const { status, title } = PROBLEMS[code];
  const id = randomBytes(6).toString('base64url');
  const text = JSON.stringify(problemBody(code, 'The request could not be read', { url: '', id }));
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(text)}`,
    `X-Request-Id: ${id}`,
    ...SAFE_HEADER_LINES,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
}
