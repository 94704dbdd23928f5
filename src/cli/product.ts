import { compose, type Product } from '../compose.ts';
import type { Config } from '../config.ts';
import { createLogger } from '../infrastructure/observability/logging.ts';
import { isCurrent, openDatabase } from './database.ts';
import { CommandError } from './errors.ts';
import type { Io } from './io.ts';

/**
 * Runs `work` on the product and its database, and gives both back.
 *
 * @throws CommandError when there is no such database, or it has not been migrated to this version
 */
export async function withProduct<T>(config: Config, io: Io, work: (product: Product) => Promise<T>): Promise<T> {
  const database = await openDatabase(config, 'join', io.say);
  try {
    if (!(await isCurrent(database))) {
      throw new CommandError('The database has not been migrated to this version: npm run migrate');
    }
    const log = createLogger({ level: 'silent', isTerminal: false });
    const product = await compose({ config, databaseUrl: database.url, log });
    try {
      return await work(product);
    } finally {
      await product.close();
    }
  } finally {
    await database.stop();
  }
}
