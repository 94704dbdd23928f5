/** Logs numbered lines and ends. Arguments: how, and how many lines. */
import { createLogger, flushLogger } from '../../../src/infrastructure/observability/logging.ts';

const [, , how, lines] = process.argv;
const log = createLogger({ level: 'info', isTerminal: how === 'on a terminal' });
for (let n = 0; n < Number(lines); n++) log.info({ n, route: '/schools', status: 200 }, 'line');
if (how === 'told to') process.exit(0);
if (how === 'thrown') throw new Error('the end');
if (how === 'fatal') {
  log.fatal({ n: Number(lines) }, 'line');
  process.kill(process.pid, 'SIGKILL');
}
if (how === 'waiting') setTimeout(() => process.kill(process.pid, 'SIGKILL'), 5_000);
if (how === 'flushed') {
  await flushLogger(log);
  process.kill(process.pid, 'SIGKILL');
}
