import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What `npm run build` has made. */
export const BUILT_SERVER = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** Starts a build as it is in production, with reads that need no key. */
export async function startServer(
  file: string,
  { url, ownerUrl, apiKey }: Readonly<{ url: string; ownerUrl: string; apiKey: string }>,
): Promise<{ server: ChildProcess; base: string }> {
  const server = spawn(process.execPath, [file, 'serve'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      API_KEY: apiKey,
      PORT: '0',
      READ_ACCESS: 'public',
      ENVIRONMENT: 'production',
      DATABASE_URL: url,
      DATABASE_MIGRATION_URL: ownerUrl,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  // Its end is told: what is let loose on it may end it, and that is the worst there is.
  for await (const chunk of server.stderr.iterator({ destroyOnReturn: false })) {
    said += String(chunk);
    const base = /^ {2}API +(http:\/\/[^/\s]+)/m.exec(said)?.[1];
    if (base === undefined) continue;
    server.stderr.pipe(process.stderr);
    return { server, base };
  }
  throw new Error(`the server did not start:\n${said}`);
}
