import { once } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import { type AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import Fastify from 'fastify';
import { expect, test } from 'vitest';
import { clientAddresses } from '../../../../src/api/edge/load/client-address.ts';
import { CONNECTION_LIMITS } from '../../../../src/api/edge/load/connection-limits.ts';
import { Connections, type CutReason, limitConnections } from '../../../../src/api/edge/load/connections.ts';
import { cutSlowReaders } from '../../../../src/api/edge/load/slow-readers.ts';

const PROXY = '10.0.0.1';

/** Room for six, three of an address. */
function sixConnections() {
  const cuts: CutReason[] = [];
  const connections = new Connections({
    limits: { ...CONNECTION_LIMITS, connectionsMax: 6, connectionsPerAddressMax: 3 },
    addresses: clientAddresses([PROXY]),
    onCut: (why) => cuts.push(why),
  });
  const connect = (address: string): Socket => {
    const socket = new Socket();
    Object.defineProperty(socket, 'remoteAddress', { value: address });
    connections.add(socket);
    return socket;
  };
  /** Asks for something; the answer is on its way until `end` is called. */
  const ask = (socket: Socket): { end: () => void } => {
    const answer = new ServerResponse(new IncomingMessage(socket));
    connections.asked(socket, answer);
    return { end: () => void answer.destroy() };
  };
  return { connections, connect, ask, cuts };
}

const destroyed = (sockets: readonly Socket[]): boolean[] => sockets.map((socket) => socket.destroyed);

test('beyond the share of an address the oldest connection that asked nothing makes room', () => {
  const { connections, connect, ask, cuts } = sixConnections();
  const sockets = [connect('a'), connect('a'), connect('a')];
  for (const socket of sockets.slice(0, 1)) ask(socket);
  const another = connect('a');
  expect([...connections]).toHaveLength(3);
  expect(cuts).toEqual(['share']);
  // Not one by one: whoever opens another for each that is closed would keep the process busy with that.
  expect(destroyed([...sockets, another])).toEqual([false, false, false, false]);
  expect(sockets[1]?.isPaused()).toBe(true);
  connections.closeGivenUp();
  expect(destroyed([...sockets, another])).toEqual([false, true, false, false]);
});

test('an idle connection makes room before one that reads, and one that has shown the key never', () => {
  const { connections, connect, ask, cuts } = sixConnections();
  const [reading, idle, known] = [connect('a'), connect('a'), connect('a')];
  ask(reading);
  ask(idle).end();
  ask(known).end();
  connections.know(known);

  const later = [connect('a')];
  expect(destroyed([reading, idle, known])).toEqual([false, true, false]);
  for (const socket of later) ask(socket);
  later.push(connect('a'));
  expect(destroyed([reading, known, ...later])).toEqual([true, false, false, false]);

  for (const socket of later) {
    ask(socket);
    connections.know(socket);
  }
  expect(connect('a').destroyed).toBe(true);
  expect(destroyed([known, ...later])).toEqual([false, false, false]);
  expect(cuts).toEqual(['share', 'share', 'share']);
});

test('when there are no more at all, the address that holds most gives one up for another', () => {
  const { connect, ask, cuts } = sixConnections();
  const most = [connect('a'), connect('a'), connect('a')];
  const others = [connect('b'), connect('b'), connect('c')];
  for (const socket of [...most, ...others]) ask(socket);
  const another = connect('d');
  expect(destroyed([...most, ...others, another])).toEqual([true, ...Array(6).fill(false)]);
  expect(connect('e').destroyed).toBe(false);
  // Nobody holds two more than these.
  expect(connect('c').destroyed).toBe(true);
  expect(cuts).toEqual(['full', 'full', 'full']);
});

test('connections of a proxy have no share, and a place that is given back is free', async () => {
  const { connections, connect, cuts } = sixConnections();
  const sockets = Array.from({ length: 6 }, () => connect(PROXY));
  expect(destroyed(sockets)).toEqual(Array(6).fill(false));
  expect(connect('a').destroyed).toBe(true);
  sockets[0]?.destroy();
  await setTimeout(0);
  expect(connect('a').destroyed).toBe(false);
  expect([...connections]).toHaveLength(6);
  expect(cuts).toEqual(['full']);
});

/** More than the operating system takes in for a client. */
const CHUNKS = 800;
const CHUNK = Buffer.alloc(64 * 1024);

test('who takes an answer too slowly is cut, who takes it is not', async () => {
  const app = Fastify();
  const cuts: CutReason[] = [];
  const limits = { ...CONNECTION_LIMITS, answerBytesPerSecondMin: 1_000_000, slowGraceMs: 200, checkEveryMs: 20 };
  app.get('/', async () => Readable.from(Array(CHUNKS).fill(CHUNK)));
  const addresses = clientAddresses(0);
  cutSlowReaders(app, limitConnections(app, { limits, addresses, onCut: (why) => cuts.push(why) }), limits);
  const base = await app.listen({ host: '127.0.0.1', port: 0 });

  const slow = await fetch(base);
  const quick = await fetch(base);
  expect((await quick.arrayBuffer()).byteLength).toBe(CHUNKS * CHUNK.length);
  while (cuts.length === 0) await setTimeout(10);
  await expect(slow.arrayBuffer()).rejects.toThrow();
  expect(cuts).toEqual(['slow']);
  await app.close();
});

test('connections that are given up and not yet closed are bounded, and are closed in the end', async () => {
  const { connect } = sixConnections();
  const sockets = Array.from({ length: 1_030 }, () => connect('a'));
  // All but three are given up, and all but 1,024 of those are closed at once.
  expect(sockets.filter((socket) => socket.destroyed)).toHaveLength(3);

  const app = Fastify();
  const limits = { ...CONNECTION_LIMITS, connectionsPerAddressMax: 1 };
  limitConnections(app, { limits, addresses: clientAddresses(0), onCut: () => undefined });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const silent = new Socket().connect(port, '127.0.0.1');
  await once(silent, 'connect');
  const another = new Socket().connect(port, '127.0.0.1');
  await once(silent.resume(), 'close');
  expect(another.destroyed).toBe(false);
  another.destroy();
  await app.close();
});
