import net, { type AddressInfo, type Socket } from 'node:net';

/** The connection is cut `before` the statement reaches PostgreSQL, or `after` it was done, its answer swallowed. */
export type Cut = Readonly<{ at: RegExp; when: 'before' | 'after' }>;

const TYPE_LENGTH = 1;
const SIZE_LENGTH = 4;

/**
 * A proxy that reads PostgreSQL's protocol (version 3) far enough to know which statement is on its way, and cuts the
 * connection at a statement of the test's choice.
 */
export class PostgresProxy {
  readonly url: string;
  /** Takes effect once, then the proxy lets everything through again. */
  cut: Cut | null = null;
  /** While true, what arrives is swallowed and nothing is ever answered: a network that drops every packet. */
  silent = false;
  cuts = 0;
  readonly #server: net.Server;
  readonly #sockets = new Set<Socket>();

  static async start(targetUrl: string): Promise<PostgresProxy> {
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new PostgresProxy(server, new URL(targetUrl));
  }

  private constructor(server: net.Server, target: URL) {
    this.#server = server;
    const url = new URL(target);
    url.port = String((server.address() as AddressInfo).port);
    this.url = url.href;
    server.on('connection', (client) => this.#join(client, net.connect(Number(target.port), '127.0.0.1')));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket, server: Socket): void {
    let swallowing = false;
    const end = (): void => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', end).on('close', () => {
        this.#sockets.delete(socket);
        end();
      });
    }
    const statements = new StatementReader();
    client.on('data', (chunk: Buffer) => {
      if (this.silent) return;
      const { cut } = this;
      if (cut !== null && statements.read(chunk).some((text) => cut.at.test(text))) {
        this.cut = null;
        this.cuts += 1;
        if (cut.when === 'before') {
          end();
          return;
        }
        swallowing = true;
      }
      if (cut === null) statements.read(chunk);
      server.write(chunk);
    });
    server.on('data', (chunk: Buffer) => {
      if (this.silent) return;
      // The first byte of an answer: the statement is done, and for COMMIT that means durable.
      if (swallowing) end();
      else client.write(chunk);
    });
  }
}

/** Picks the texts of simple queries (Q) and of statements to parse (P) out of what a client sends. */
class StatementReader {
  #rest: Buffer = Buffer.alloc(0);
  #started = false;

  read(chunk: Buffer): string[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const texts: string[] = [];
    for (;;) {
      // The very first message, and no other, has no type.
      const typeLength = this.#started ? TYPE_LENGTH : 0;
      if (this.#rest.length < typeLength + SIZE_LENGTH) return texts;
      const end = typeLength + this.#rest.readInt32BE(typeLength);
      if (this.#rest.length < end) return texts;
      const type = this.#started ? String.fromCharCode(this.#rest[0] ?? 0) : '';
      if (type === 'Q' || type === 'P') texts.push(this.#rest.toString('utf8', typeLength + SIZE_LENGTH, end));
      this.#rest = this.#rest.subarray(end);
      this.#started = true;
    }
  }
}
