import net, { type AddressInfo, type Socket } from 'node:net';

/**
 * A proxy between a client and the server that can end a connection at the moment the server answers: by then what was
 * asked for is committed, and the client does not know.
 */
export class CuttingProxy {
  readonly base: string;
  /** How much of the answer still gets through before the cut; null lets everything through. */
  bytesBeforeCut: number | null = null;
  cuts = 0;
  readonly #server: net.Server;
  readonly #clients = new Set<Socket>();

  static async start(target: string): Promise<CuttingProxy> {
    const server = net.createServer();
    const proxy = await new Promise<CuttingProxy>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve(new CuttingProxy(server, Number(new URL(target).port))));
    });
    return proxy;
  }

  private constructor(server: net.Server, targetPort: number) {
    this.#server = server;
    this.base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (client) => this.#join(client, net.connect(targetPort, '127.0.0.1')));
  }

  /** Ends what is open, too: a client may keep its connections for later. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#clients) socket.destroy();
    await closed;
  }

  #join(client: Socket, server: Socket): void {
    this.#clients.add(client);
    const end = (): void => {
      this.#clients.delete(client);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on('error', end).on('close', end);
    client.pipe(server);
    server.on('data', (chunk: Buffer) => {
      if (this.bytesBeforeCut === null) {
        client.write(chunk);
        return;
      }
      this.cuts += 1;
      client.write(chunk.subarray(0, this.bytesBeforeCut), () => end());
    });
  }
}
