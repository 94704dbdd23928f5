import { afterAll, expect, vi } from 'vitest';
import { createLogger } from '../../src/infrastructure/observability/logging.ts';
import { seedNames } from './factories.ts';

/**
 * Runs for every file of those that share a process, before the file is loaded. Whatever a file leaves behind in the process
 * would decide what the next one sees, so it fails the file that left it.
 */

/** All that is written on an object by its own names, without calling what is read by calling. */
function membersOf(owner: object): [string, unknown][] {
  return Reflect.ownKeys(owner).map((key) => {
    const { value, get, set } = Object.getOwnPropertyDescriptor(owner, key) ?? {};
    return [String(key), value ?? get ?? set];
  });
}

/** What the language and Node.js bring: every global, and what stands on those that are classes or bundles of functions. */
function builtIns(): Map<string, unknown> {
  const found = new Map<string, unknown>();
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    // Read, because many are made when they are first asked for.
    const value: unknown = Reflect.get(globalThis, name);
    found.set(name, value);
    if (value === globalThis || name.startsWith('__vitest')) continue;
    const owners = typeof value === 'function' ? [value, value.prototype] : [value];
    for (const owner of owners) {
      if (typeof owner !== 'object' && typeof owner !== 'function') continue;
      for (const [member, is] of owner === null ? [] : membersOf(owner)) found.set(`${name} ${member}`, is);
    }
  }
  return found;
}

/** What of the process a file may touch and has to put back. */
function settings(): Record<string, unknown> {
  const listeners = process.eventNames().map((name) => [String(name), process.listenerCount(name)] as const);
  return {
    environment: { ...process.env },
    directory: process.cwd(),
    listeners: Object.fromEntries(listeners.filter(([, count]) => count > 0)),
    hasFakeTimers: vi.isFakeTimers(),
  };
}

/** The first is wrapped when the first file of a process runs; what they are about is compared itself. */
const COMPARED_ITSELF = new Set(['process chdir', 'process _events', 'process _eventsCount']);

seedNames();
// pino listens for the end of the process from its first logger of a process on.
createLogger({ level: 'silent', isTerminal: false });
const [set, known] = [settings(), builtIns()];

// Hooks run in the reverse order of their registration: this one is the file's last.
afterAll(() => {
  vi.restoreAllMocks();
  const now = builtIns();
  const names = [...new Set([...known.keys(), ...now.keys()])];
  const changed = names.filter((name) => !Object.is(known.get(name), now.get(name)) && !COMPARED_ITSELF.has(name));
  expect({ ...settings(), changed }, 'what the file left behind').toEqual({ ...set, changed: [] });
});
