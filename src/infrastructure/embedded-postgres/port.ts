import { createServer } from 'node:net';

/** A port of 127.0.0.1 that nobody listens on: the preferred one if it can be had. */
export async function freePort(preferred: number | undefined): Promise<number> {
  return await new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => {
      if (preferred === undefined) reject(error);
      else resolve(freePort(undefined));
    });
    probe.listen({ host: '127.0.0.1', port: preferred ?? 0, exclusive: true }, () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
