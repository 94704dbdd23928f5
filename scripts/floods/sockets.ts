import { connect, type Socket } from 'node:net';
import { type Flood, keepAsking, request, type Target } from './flood.ts';

/** Between a connection that was closed and the next. */
const AGAIN_AFTER_MS = 100;
const PARAMETERS = 3_500;
/** What a slow reader takes: so many bytes, so often. */
const SLOW_READ = { bytes: 1_024, everyMs: 1_000 };

/** Keeps `count` sockets open, each of which `begin` does something with. One that is closed is opened again. */
function keepOpen(target: Target, count: number, begin: (socket: Socket) => void): () => Promise<void> {
  const open = new Set<Socket>();
  let isOver = false;
  const connectOne = (): void => {
    if (isOver) return;
    const socket = connect(target.port, target.host);
    open.add(socket);
    socket.on('connect', () => begin(socket));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      open.delete(socket);
      setTimeout(connectOne, AGAIN_AFTER_MS);
    });
  };
  for (let made = 0; made < count; made++) connectOne();
  // Sockets that nobody reads do not keep a process alive.
  const alive = setInterval(() => undefined, 60_000);
  return async () => {
    isOver = true;
    clearInterval(alive);
    for (const socket of open) socket.destroy();
  };
}

/** Sends `count` requests at once and reads none of the answers. */
function askAhead(socket: Socket, path: string, count: number): void {
  socket.pause();
  socket.write(request('GET', path).toString().repeat(count));
}

const wholeStatement = ({ ids }: Target): string => `/schools/${ids.school}/statement`;

export const SOCKET_FLOODS: readonly Flood[] = [
  {
    title: 'one socket that asks for 500 files of /docs and reads none',
    start: async (target) =>
      keepOpen(target, 1, (socket) => askAhead(socket, '/docs/static/swagger-ui-bundle.js', 500)),
  },
  {
    title: '6 sockets that ask for 400 statements of 1,000 lines each and read none',
    start: async (target) => {
      const path = `/api/v1/students/${target.ids.busyStudent}/statement?limit=1000`;
      return keepOpen(target, 6, (socket) => askAhead(socket, path, 400));
    },
  },
  {
    title: 'sockets that ask for 20 whole statements and leave',
    start: async (target) =>
      keepOpen(target, 4, (socket) => {
        askAhead(socket, `/api/v1${wholeStatement(target)}`, 20);
        setTimeout(() => socket.destroy(), 300);
      }),
    beside: wholeStatement,
  },
  {
    title: '8 readers of whole statements at 1 KB/s',
    start: async (target) => {
      const sent = request('GET', `/api/v1${wholeStatement(target)}`)
        .toString()
        .repeat(4);
      return keepOpen(target, 8, (socket) => {
        socket.pause();
        socket.write(sent);
        const reading = setInterval(() => socket.read(SLOW_READ.bytes), SLOW_READ.everyMs);
        socket.on('close', () => clearInterval(reading));
      });
    },
    beside: wholeStatement,
  },
  {
    title: `8 clients with ${PARAMETERS} parameters that nobody knows`,
    start: async (target) => {
      const query = Array.from({ length: PARAMETERS }, (_, number) => number.toString(36)).join('&');
      const sent = request('GET', `/api/v1/schools?${query}`);
      return keepAsking(target, { sockets: 8, next: () => sent });
    },
  },
  {
    title: '2,048 sockets with half a header',
    start: async (target) => keepOpen(target, 2_048, (socket) => void socket.write('GET / HTTP/1.1\r\nHost: x\r\n')),
    beside: ({ ids }) => `/schools/${ids.school}`,
  },
];
