// Run as a program of its own by embedded-postgres.test.ts: starts the server on the directory given, says so in one
// line of JSON, and stays until it is killed.
import { startEmbeddedPostgres } from '../../../src/infrastructure/embedded-postgres/embedded-postgres.ts';

const [dataDir = '', version = '18'] = process.argv.slice(2);
try {
  const server = await startEmbeddedPostgres({ dataDir, version: version === '16' ? 16 : 18 });
  console.log(JSON.stringify(server));
  setInterval(() => undefined, 1_000);
} catch (error) {
  console.log(JSON.stringify({ error: String(error) }));
}
