/**
 * The load generator, a process of its own. It speaks HTTP/1.1 over bare sockets and knows just enough of it: one
 * request after the other on each connection, every answer read to its end.
 */
import { createConnection, type Socket } from 'node:net';
import { answerJobs } from './jobs.ts';
import { UNIQUE } from './server.ts';

export type LoadJob = Readonly<{
  port: number;
  clients: number;
  seconds: number;
  /** Whole HTTP requests; the clients begin at different ones and go round. {@link UNIQUE} becomes another each time. */
  requests: readonly string[];
}>;

export type LoadResult = Readonly<{
  /** 2xx answers within the time. */
  perSecond: number;
  /** Of those, how long each took. */
  latenciesMs: readonly number[];
  /** The same to the first byte, of all answers. */
  firstBytesMs: readonly number[];
  bytes: number;
  /** Answers other than 2xx, and connections that broke. */
  failures: number;
  /** All answers, those after the time was up included: what the processor time was spent on. */
  answers: number;
}>;

/** No JSON text has a bare line break in it, and no CSV file of ours a line of nothing but 0: only chunked bodies end so. */
const CHUNKED_END = Buffer.from('\r\n0\r\n\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');

const STARTED_AT = Date.now();
let drawn = 0;

type Tally = { firstBytes: number[]; latencies: number[]; bytes: number; failures: number; answers: number };

async function run({ port, clients, seconds, requests }: LoadJob): Promise<LoadResult> {
  const texts = requests.map((text) => text.split(UNIQUE).map((part) => Buffer.from(part)));
  const tally: Tally = { firstBytes: [], latencies: [], bytes: 0, failures: 0, answers: 0 };
  const sockets = await Promise.all(Array.from({ length: clients }, async () => await connect(port)));
  const started = performance.now();
  const deadline = started + seconds * 1000;
  await Promise.all(
    sockets.map(async (socket, index) => {
      const next = walk(texts, Math.floor((index * texts.length) / clients));
      await new Client(socket, next, deadline, tally).done;
    }),
  );
  const { latencies, firstBytes, bytes, failures, answers } = tally;
  return {
    perSecond: latencies.length / seconds,
    latenciesMs: latencies.map(rounded),
    firstBytesMs: firstBytes.map(rounded),
    bytes,
    failures,
    answers,
  };
}

/** To a microsecond: these go to another process as text. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

/** @param texts each in parts with something unique between them */
function walk(texts: readonly (readonly Buffer[])[], start: number): () => Buffer {
  let at = start;
  return () => {
    at = (at + 1) % texts.length;
    const [head = Buffer.alloc(0), ...rest] = texts[at] ?? [];
    return rest.length === 0 ? head : Buffer.concat([head, ...rest.flatMap((part) => [unique(), part])]);
  };
}

function unique(): Buffer {
  drawn += 1;
  return Buffer.from(`${process.pid}-${STARTED_AT.toString(36)}-${drawn}`);
}

async function connect(port: number): Promise<Socket> {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

/** One connection: asks, reads the answer to its end, asks again until the time is up. */
class Client {
  readonly done: Promise<void>;
  readonly #socket: Socket;
  readonly #next: () => Buffer;
  readonly #deadline: number;
  readonly #tally: Tally;
  #finish: () => void = () => undefined;
  #askedAt = 0;
  #head: Buffer | undefined;
  /** Bytes of the body still to come; below 0 for a chunked one. */
  #missing: number | undefined;
  #tail: Buffer = Buffer.alloc(0);
  #isRefused = false;

  constructor(socket: Socket, next: () => Buffer, deadline: number, tally: Tally) {
    this.#socket = socket;
    this.#next = next;
    this.#deadline = deadline;
    this.#tally = tally;
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', () => undefined);
    // Either we are done, or the server hung up on us: then this client stays away, and that is seen in the table.
    socket.on('close', () => {
      if (this.#askedAt > 0) this.#tally.failures += 1;
      this.#finish();
    });
    this.#ask();
  }

  #ask(): void {
    this.#askedAt = performance.now();
    this.#socket.write(this.#next());
  }

  #read(chunk: Buffer): void {
    this.#tally.bytes += chunk.length;
    if (this.#missing !== undefined) {
      this.#readBody(chunk);
      return;
    }
    if (this.#head === undefined) this.#tally.firstBytes.push(performance.now() - this.#askedAt);
    const head = this.#head === undefined ? chunk : Buffer.concat([this.#head, chunk]);
    const end = head.indexOf(HEAD_END);
    this.#head = head;
    if (end === -1) return;
    this.#isRefused = head[9] !== 0x32;
    const length = /\r\ncontent-length: (\d+)/i.exec(head.toString('latin1', 0, end))?.[1];
    this.#missing = length === undefined ? -1 : Number(length);
    this.#readBody(head.subarray(end + HEAD_END.length));
  }

  #readBody(chunk: Buffer): void {
    if (this.#missing === -1) {
      this.#tail = Buffer.concat([this.#tail, chunk.subarray(-CHUNKED_END.length)]).subarray(-CHUNKED_END.length);
      if (this.#tail.equals(CHUNKED_END)) this.#complete();
      return;
    }
    this.#missing = (this.#missing ?? 0) - chunk.length;
    if (this.#missing <= 0) this.#complete();
  }

  #complete(): void {
    const now = performance.now();
    this.#tally.answers += 1;
    if (this.#isRefused) this.#tally.failures += 1;
    else if (now <= this.#deadline) this.#tally.latencies.push(now - this.#askedAt);
    this.#head = undefined;
    this.#missing = undefined;
    this.#tail = Buffer.alloc(0);
    this.#askedAt = 0;
    if (now < this.#deadline) this.#ask();
    else this.#socket.end();
  }
}

answerJobs(run);
