import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { addressOf, clientAddresses, type TrustedProxies } from '../../../../src/api/edge/load/client-address.ts';

function clientOf(trusted: TrustedProxies, remoteAddress: string | undefined, forwarded?: string): string {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress });
  const request = new IncomingMessage(socket);
  if (forwarded !== undefined) request.headers['x-forwarded-for'] = forwarded;
  return clientAddresses(trusted).of(request);
}

test.each<[trusted: TrustedProxies, socket: string | undefined, forwarded: string | undefined, client: string]>([
  // Nobody is believed, so nobody is anybody else.
  [0, '203.0.113.7', '198.51.100.1', '203.0.113.7'],
  [[], '203.0.113.7', '198.51.100.1', '203.0.113.7'],
  // What a client wrote itself stands in front of what the proxy saw.
  [1, '10.0.0.1', '1.2.3.4, 198.51.100.1', '198.51.100.1'],
  [2, '10.0.0.1', '1.2.3.4, 198.51.100.1, 10.0.0.2', '198.51.100.1'],
  [['10.0.0.0/8'], '10.0.0.1', '1.2.3.4, 198.51.100.1, 10.0.0.2', '198.51.100.1'],
  [['10.0.0.0/8'], '::ffff:10.0.0.1', '198.51.100.1', '198.51.100.1'],
  // Past the proxy: the header counts for nothing.
  [['10.0.0.0/8'], '203.0.113.7', '198.51.100.1', '203.0.113.7'],
  [1, '10.0.0.1', undefined, '10.0.0.1'],
  [1, '10.0.0.1', 'unknown', '10.0.0.1'],
  [1, '10.0.0.1', '198.51.100.1:4711', '10.0.0.1'],
  [1, '10.0.0.1', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  [0, undefined, undefined, ''],
  [1, undefined, '198.51.100.1', ''],
])('with %o trusted, %s that forwards %s is %s', (trusted, socket, forwarded, client) => {
  expect(clientOf(trusted, socket, forwarded)).toBe(client);
});

test('a client is one, however its address is written', () => {
  expect(addressOf('::ffff:192.0.2.1')).toBe('192.0.2.1');
  expect(addressOf('2001:DB8::1')).toBe(addressOf('2001:db8:0:0:ffff::2'));
  expect(addressOf('2001:db8:0:1::1')).not.toBe(addressOf('2001:db8::1'));
  expect(addressOf('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
});

test('connections of a trusted proxy are told from those of a client', () => {
  expect(clientAddresses(['10.0.0.0/8']).isProxy('10.0.0.1')).toBe(true);
  expect(clientAddresses(['10.0.0.0/8']).isProxy('203.0.113.7')).toBe(false);
  expect(clientAddresses(1).isProxy('203.0.113.7')).toBe(true);
  expect(clientAddresses(0).isProxy('203.0.113.7')).toBe(false);
});
