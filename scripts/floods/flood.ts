import { connect, type Socket } from 'node:net';

/** What a flood is let loose on. */
export type Target = Readonly<{
  host: string;
  port: number;
  /** A key that the server takes. */
  apiKey: string;
  /** The database, as its owner: for rows that somebody holds. */
  ownerUrl: string;
  /** None of these belongs to the school whose invoices are paid meanwhile. */
  ids: Readonly<{
    school: number;
    /** With an invoice or two, and with 4,800. */
    student: number;
    busyStudent: number;
    payment: number;
    invoices: readonly number[];
    /** In a currency without decimals. */
    wholeInvoices: readonly number[];
  }>;
}>;

/** Something that a client, or many, may do. Those who pay must not notice. */
export type Flood = Readonly<{
  title: string;
  /** Begins it, and returns what ends it. */
  start(target: Target): Promise<() => Promise<void>>;
  /** What somebody else asks for meanwhile, which must be answered too: a path below the prefix. */
  beside?(target: Target): string;
}>;

/** A request as it goes over the wire. */
export function request(method: string, path: string, more: { apiKey?: string; body?: string } = {}): Buffer {
  const { apiKey, body } = more;
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1'];
  if (apiKey !== undefined) lines.push(`X-API-Key: ${apiKey}`);
  if (body !== undefined) lines.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`);
}

/**
 * Keeps `outstanding` requests on each of `sockets` sockets: for every answer the next one is sent. A socket that is closed
 * is opened again.
 */
export function keepAsking(
  target: Target,
  of: { sockets: number; outstanding?: number; next: () => Buffer },
): () => Promise<void> {
  const { sockets, outstanding = 1, next } = of;
  const open = new Set<Socket>();
  let isOver = false;
  const begin = (): void => {
    if (isOver) return;
    const socket = connect(target.port, target.host);
    open.add(socket);
    const answers = new AnswerCount();
    const send = (count: number): void => {
      for (let sent = 0; sent < count && socket.writable; sent++) socket.write(next());
    };
    socket.on('connect', () => send(outstanding));
    socket.on('data', (chunk: Buffer) => send(answers.add(chunk)));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      open.delete(socket);
      setTimeout(begin, AGAIN_AFTER_MS);
    });
  };
  for (let count = 0; count < sockets; count++) begin();
  return async () => {
    isOver = true;
    for (const socket of open) socket.destroy();
  };
}

/** An honest flood does not knock on a closed door without a pause. */
const AGAIN_AFTER_MS = 100;

const STATUS_LINE = Buffer.from('HTTP/1.1 ');

/** Counts answers by their first lines, which no body of the product holds. */
class AnswerCount {
  #rest = Buffer.alloc(0);

  /** @returns how many answers have begun in this piece */
  add(chunk: Buffer): number {
    const text = Buffer.concat([this.#rest, chunk]);
    let count = 0;
    let at = text.indexOf(STATUS_LINE);
    while (at !== -1) {
      count += 1;
      at = text.indexOf(STATUS_LINE, at + STATUS_LINE.length);
    }
    // Too short for a whole first line, so none is counted twice.
    this.#rest = Buffer.from(text.subarray(-(STATUS_LINE.length - 1)));
    return count;
  }
}
