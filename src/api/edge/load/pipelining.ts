import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { PROBLEMS, writeProblem } from '../problems.ts';
import type { ConnectionLimits } from './connection-limits.ts';
import type { Refusals } from './overload.ts';

/** Answers that are made while another of the same connection is being sent. */
const ANSWERS_AHEAD_MAX = 3;
/** Bytes of answers that wait to be sent on a connection: beyond it no further answer is begun. */
const BYTES_AHEAD_MAX = 64 * 1024;
/**
 * Held requests of a connection from which on nothing more is read from it. Not from the first on, because a socket that
 * is not read does not say that its client has gone.
 */
const HELD_UNREAD_MAX = 32;
/**
 * Requests held on all connections together: an object of Node's each, some 5 KB. One chunk from a socket may bring 3,000
 * of the shortest, so beyond this a connection that sends ahead is not answered but cut.
 */
const HELD_IN_ALL_MAX = 8_192;

type Serve = (request: IncomingMessage, response: ServerResponse) => void;
type Entry = Readonly<{ request: IncomingMessage; response: ServerResponse }>;

/**
 * Takes the requests that a client sends without waiting for answers, and begins few of them ahead: what is answered but
 * not read fills memory, so at most {@link ANSWERS_AHEAD_MAX} answers, and none beyond {@link BYTES_AHEAD_MAX}, are made
 * while another is on its way. The other requests are held, in order, and beyond {@link HELD_UNREAD_MAX} nothing is read
 * from the socket.
 *
 * Call it when everything else listens for requests: it stands in front. A client that waits for its answers, as nearly
 * all do, costs one comparison.
 */
export function limitPipelining(
  { server }: FastifyInstance,
  of: { limits: ConnectionLimits } & Pick<Refusals, 'requestId' | 'onRefused'>,
): void {
  const { pipelinedMax } = of.limits;
  const listeners = server.listeners('request');
  const serve: Serve = (request, response) => {
    for (const listener of listeners) Reflect.apply(listener, server, [request, response]);
  };
  /** The last answer of the connection. */
  const refuse: Serve = (request, response) => {
    const id = of.requestId(request);
    const detail = `More than ${pipelinedMax} requests were sent without waiting for their answers`;
    const code = 'pipeline_too_long';
    writeProblem(response, { code, detail, url: request.url ?? '', id, headers: { connection: 'close' } });
    of.onRefused({ method: request.method ?? '', id, status: PROBLEMS[code].status, ms: 0 });
  };
  const held = new HeldCount();
  const lines = new WeakMap<Socket, Line>();
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const { socket } = request;
    // It has the socket: every answer before it has been sent.
    if (response.socket !== null) {
      serve(request, response);
      return;
    }
    let line = lines.get(socket);
    if (line === undefined) {
      line = new Line(socket, { pipelinedMax, held, serve, refuse });
      lines.set(socket, line);
    }
    line.add({ request, response });
  });
}

/** Over all connections of a server. */
class HeldCount {
  #count = 0;

  get isFull(): boolean {
    return this.#count >= HELD_IN_ALL_MAX;
  }

  add(change: number): void {
    this.#count += change;
  }
}

/** The requests of one connection that have come behind another. */
class Line {
  readonly #socket: Socket;
  readonly #of: Readonly<{ pipelinedMax: number; held: HeldCount; serve: Serve; refuse: Serve }>;
  /** Begun, and behind the answer that is being sent. */
  readonly #ahead: ServerResponse[] = [];
  /** Not begun. */
  readonly #held: Entry[] = [];
  /** Came after the one that was refused: never answered. */
  #ignored = 0;
  #isRefused = false;

  constructor(socket: Socket, of: { pipelinedMax: number; held: HeldCount; serve: Serve; refuse: Serve }) {
    this.#socket = socket;
    this.#of = of;
    // Node reads on when it has read a body, or thrown one away.
    socket.on('resume', () => {
      if (this.#isFull) socket.pause();
    });
    socket.once('close', () => this.#abandon());
  }

  add(entry: Entry): void {
    if (this.#socket.destroyed) return;
    entry.response.once('socket', () => this.#advance(entry));
    if (!this.#isRefused && this.#held.length === 0 && this.#mayBegin()) {
      this.#begin(entry);
      return;
    }
    this.#of.held.add(1);
    if (this.#isRefused) {
      this.#ignored += 1;
    } else if (this.#held.length < this.#of.pipelinedMax) {
      this.#held.push(entry);
    } else {
      this.#isRefused = true;
      this.#ignored += 1;
      this.#of.refuse(entry.request, entry.response);
    }
    if (this.#of.held.isFull) this.#socket.destroy();
    else if (this.#isFull) this.#socket.pause();
  }

  /** Whether nothing may be read from the socket. */
  get #isFull(): boolean {
    return this.#isRefused || this.#held.length >= HELD_UNREAD_MAX;
  }

  #mayBegin(): boolean {
    if (this.#ahead.length >= ANSWERS_AHEAD_MAX) return false;
    const bytes = this.#ahead.reduce((sum, { writableLength }) => sum + writableLength, this.#socket.writableLength);
    return bytes <= BYTES_AHEAD_MAX;
  }

  #begin({ request, response }: Entry): void {
    this.#ahead.push(response);
    this.#of.serve(request, response);
  }

  /** Every answer before this one has been sent. */
  #advance({ response }: Entry): void {
    if (this.#ahead[0] === response) this.#ahead.shift();
    if (this.#socket.destroyed) return;
    // The next of those that are held is served whatever else is ahead, of which there is nothing.
    if (this.#held[0]?.response === response) this.#beginHeld((entry) => this.#of.serve(entry.request, entry.response));
    while (this.#held.length > 0 && this.#mayBegin()) this.#beginHeld((entry) => this.#begin(entry));
    if (this.#socket.isPaused() && !this.#isFull) this.#socket.resume();
  }

  #beginHeld(begin: (entry: Entry) => void): void {
    const entry = this.#held.shift();
    if (entry === undefined) return;
    this.#of.held.add(-1);
    begin(entry);
  }

  /**
   * Tells the answers that wait behind another that their client is gone. Node tells only the one whose turn it is, and
   * whatever is held for the others would be held for ever.
   */
  #abandon(): void {
    this.#of.held.add(-(this.#held.length + this.#ignored));
    this.#held.length = 0;
    this.#ignored = 0;
    for (const response of this.#ahead.splice(0)) {
      response.destroy();
      // What Node says of one whose turn it is; who looks only later must see it too.
      Object.defineProperty(response, 'closed', { value: true });
      response.emit('close');
    }
  }
}
