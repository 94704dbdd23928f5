import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';
import ipaddr from 'ipaddr.js';

/**
 * Whose `X-Forwarded-For` is believed: so many proxies in front of this process, or proxies by their addresses. 0 is
 * nobody's, because anybody can write the header.
 */
export type TrustedProxies = number | readonly string[];

/** What a client is told apart by. */
export type ClientAddresses = Readonly<{
  /** Of whoever sent the request: the one nearest to us that is no trusted proxy. Empty when the socket is gone. */
  of(request: IncomingMessage): string;
  /** Whether connections from this address are those of a trusted proxy, so of many clients. */
  isProxy(address: string): boolean;
}>;

type Trust = (address: string, hop: number) => boolean;

export function clientAddresses(trusted: TrustedProxies): ClientAddresses {
  const trust = trustOf(trusted);
  if (trust === undefined) return { of: ({ socket }) => addressOf(socket.remoteAddress), isProxy: () => false };
  return {
    of: (request) => {
      const { remoteAddress = '' } = request.socket;
      if (remoteAddress === '' || !trust(remoteAddress, 0)) return addressOf(remoteAddress);
      const forwarded = proxyAddr(request, trust);
      // Some proxies pass on what a client made up, or append a port: no address is nobody's but the proxy's.
      return addressOf(isIP(forwarded) === 0 ? remoteAddress : forwarded);
    },
    isProxy: (address) => trust(address, 0),
  };
}

function trustOf(trusted: TrustedProxies): Trust | undefined {
  if (typeof trusted === 'number') return trusted === 0 ? undefined : (_address, hop) => hop < trusted;
  return trusted.length === 0 ? undefined : proxyAddr.compile([...trusted]);
}

/** How many groups of an IPv6 address name a network: one customer has at least a /64, and may use every address in it. */
const GROUPS_OF_NETWORK = 4;

/** One name for one client: IPv4 as it is, however it was written; IPv6 by its /64. */
export function addressOf(address = ''): string {
  if (!address.includes(':') || isIP(address) === 0) return address;
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  return `${parsed.toNormalizedString().split(':', GROUPS_OF_NETWORK).join(':')}::/64`;
}
