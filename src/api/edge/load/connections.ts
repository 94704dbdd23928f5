import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { isRead } from '../route-hooks.ts';
import { addressOf, type ClientAddresses } from './client-address.ts';
import type { ConnectionLimits } from './connection-limits.ts';

/** Accepted beyond the limit, for as long as it takes to see who gives one up. */
const CONNECTIONS_SPARE = 64;
/** Given up without ever having asked anything, and closed this often, so many at most; beyond that at once. */
const CLOSE_EVERY_MS = 1_000;
const CLOSING_MAX = 1_024;

/** Why a connection was ended: its address has its share, there are no more, or its reader is too slow. */
export type CutReason = 'share' | 'full' | 'slow';
export type OnCut = (why: CutReason) => void;

/** A connection and what is known of it. */
export type Connection = {
  readonly socket: Socket;
  /** Whose share it is part of; null where it is a proxy's, which has none. */
  readonly address: string | null;
  /** Of the newest request. As answers are sent in order, none is on its way when this one has been sent. */
  answer: ServerResponse | undefined;
  /** Something was done on it that needs the key. */
  isKnown: boolean;
};

/**
 * The open connections of a server, of which each address gets a share: so many, and when there are no more at all, the
 * address that holds most gives one up for another. A new connection takes the place of one that is of less use: that
 * never asked anything, or is idle, or reads, the oldest first. One that has shown the key is not given up.
 *
 * One that never asked anything is closed a little later: whoever opens another for each that is closed would otherwise
 * keep the process busy with nothing else. It counts no more, and nothing is read from it.
 */
export class Connections implements Iterable<Connection> {
  readonly #bySocket = new Map<Socket, Connection>();
  /** In the order in which they came. */
  readonly #byAddress = new Map<string, Set<Connection>>();
  #closing: Socket[] = [];
  readonly #limits: ConnectionLimits;
  readonly #addresses: ClientAddresses;
  readonly #onCut: OnCut;

  constructor(of: { limits: ConnectionLimits; addresses: ClientAddresses; onCut: OnCut }) {
    this.#limits = of.limits;
    this.#addresses = of.addresses;
    this.#onCut = of.onCut;
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#bySocket.values();
  }

  add(socket: Socket): void {
    const { remoteAddress = '' } = socket;
    const address = this.#addresses.isProxy(remoteAddress) ? null : addressOf(remoteAddress);
    if (!this.#makeRoomFor(address)) {
      socket.destroy();
      return;
    }
    const connection = { socket, address, answer: undefined, isKnown: false };
    const siblings = this.#of(address);
    this.#bySocket.set(socket, connection);
    siblings?.add(connection);
    socket.once('close', () => this.#forget(connection));
  }

  asked(socket: Socket, answer: ServerResponse): void {
    const connection = this.#bySocket.get(socket);
    if (connection !== undefined) connection.answer = answer;
  }

  /** The key was shown, and right. */
  know(socket: Socket): void {
    const connection = this.#bySocket.get(socket);
    if (connection !== undefined) connection.isKnown = true;
  }

  cut(connection: Connection, why: CutReason): void {
    const { socket, answer } = connection;
    this.#forget(connection);
    if (answer !== undefined || this.#closing.length >= CLOSING_MAX) socket.destroy();
    else this.#closing.push(socket.pause());
    this.#onCut(why);
  }

  /** Closes what was given up since the last time. */
  closeGivenUp(): void {
    for (const socket of this.#closing) socket.destroy();
    this.#closing = [];
  }

  /** False: the new one has to go. */
  #makeRoomFor(address: string | null): boolean {
    const own = address === null ? undefined : this.#byAddress.get(address);
    const ownCount = own?.size ?? 0;
    if (own !== undefined && ownCount >= this.#limits.connectionsPerAddressMax) return this.#giveUpOne(own, 'share');
    if (this.#bySocket.size < this.#limits.connectionsMax) return true;
    const most = this.#largest();
    // With two more than the other it has still one more when it has given one up.
    if (most !== undefined && most.size > ownCount + 1) return this.#giveUpOne(most, 'full');
    this.#onCut('full');
    return false;
  }

  #giveUpOne(siblings: ReadonlySet<Connection>, why: CutReason): boolean {
    const least = leastUseful(siblings);
    if (least === undefined) this.#onCut(why);
    else this.cut(least, why);
    return least !== undefined;
  }

  #largest(): ReadonlySet<Connection> | undefined {
    let largest: ReadonlySet<Connection> | undefined;
    for (const siblings of this.#byAddress.values()) {
      if (siblings.size > (largest?.size ?? 0)) largest = siblings;
    }
    return largest;
  }

  #of(address: string | null): Set<Connection> | undefined {
    if (address === null) return undefined;
    const siblings = this.#byAddress.get(address) ?? new Set();
    this.#byAddress.set(address, siblings);
    return siblings;
  }

  #forget(connection: Connection): void {
    this.#bySocket.delete(connection.socket);
    const { address } = connection;
    const siblings = address === null ? undefined : this.#byAddress.get(address);
    siblings?.delete(connection);
    if (address !== null && siblings?.size === 0) this.#byAddress.delete(address);
  }
}

/** The oldest that never asked anything; else that is idle; else that reads. None that has shown the key. */
function leastUseful(siblings: ReadonlySet<Connection>): Connection | undefined {
  let idle: Connection | undefined;
  let reading: Connection | undefined;
  for (const one of siblings) {
    if (one.answer === undefined) return one;
    if (one.isKnown) continue;
    if (one.answer.destroyed) idle ??= one;
    else reading ??= one;
  }
  return idle ?? reading;
}

/**
 * Keeps the server's connections within their limits. Call it when everything else listens for requests, and after the
 * gate: whatever is no read has passed that with the key.
 */
export function limitConnections(
  app: FastifyInstance,
  of: { limits: ConnectionLimits; addresses: ClientAddresses; onCut: OnCut },
): Connections {
  const connections = new Connections(of);
  app.server.maxConnections = of.limits.connectionsMax + CONNECTIONS_SPARE + CLOSING_MAX;
  app.server.on('connection', (socket: Socket) => connections.add(socket));
  app.server.on('request', ({ socket }: IncomingMessage, answer: ServerResponse) => connections.asked(socket, answer));
  app.addHook('onRequest', ({ method, raw }, _reply, done) => {
    if (!isRead(method)) connections.know(raw.socket);
    done();
  });
  let timer: NodeJS.Timeout | undefined;
  app.server.once('listening', () => {
    timer = setInterval(() => connections.closeGivenUp(), CLOSE_EVERY_MS).unref();
  });
  app.addHook('onClose', () => {
    clearInterval(timer);
    connections.closeGivenUp();
  });
  return connections;
}
