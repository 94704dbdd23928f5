/** What the built product is bundled from. Reading it runs nothing. */
import { readConfig } from '../config.ts';
import { createLogger } from '../infrastructure/logging.ts';

export { processIo } from './io.ts';
export { run } from './run.ts';

/** A port that nobody listens on: whoever composes a server asks its database for nothing. */
const NO_DATABASE = 'postgresql://127.0.0.1:1/none';

/**
 * Does what a start does before it listens, so that V8 has compiled it: the build then keeps what was compiled.
 *
 * @see docs/decisions/0026-compiled-when-built.md
 */
export async function rehearseStart(): Promise<void> {
  const [{ prepareServer }] = await Promise.all([import('../main.ts'), import('./serve.ts')]);
  const log = createLogger({ level: 'silent', isTerminal: false, stream: { write: () => undefined } });
  await prepareServer({ config: readConfig({}), databaseUrl: NO_DATABASE, log });
}
