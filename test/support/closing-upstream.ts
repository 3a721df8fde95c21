/**
 * An upstream that closes each connection 0 to 25 ms after its last answer, half of them by FIN and half by RST, and notes
 * how often it has read each request whole. A process of its own, so that it closes while others send. Prints its port, and
 * on a line of input how often which x-request-id was read.
 */
import type { Socket } from 'bun';

const IDLE_MS_MAX = 25;
/** With `--careless` it works on each request for a while, and closes its connection meanwhile as well. */
const THINK_MS_MAX = process.argv.includes('--careless') ? 4 : 0;
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}';

interface State {
  unread: string;
  timer: ReturnType<typeof setTimeout> | undefined;
}

const reads = new Map<string, number>();
let closes = 0;

function closeIdle(socket: Socket<State>): void {
  if (closes++ % 2 === 0) socket.end();
  else socket.terminate();
}

function answer(socket: Socket<State>): void {
  clearTimeout(socket.data.timer);
  socket.write(ANSWER);
  socket.data.timer = setTimeout(closeIdle, Math.random() * IDLE_MS_MAX, socket);
}

const listener = Bun.listen<State>({
  hostname: '127.0.0.1',
  port: 0,
  socket: {
    open(socket) {
      socket.data = { unread: '', timer: undefined };
    },
    data(socket, bytes) {
      const state = socket.data;
      state.unread += Buffer.from(bytes).toString('latin1');
      const headEnd = state.unread.indexOf('\r\n\r\n');
      if (headEnd === -1) return;
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(state.unread)?.[1] ?? 0);
      if (state.unread.length < headEnd + 4 + length) return;
      const id = /\r\nx-request-id: *(\S+)/i.exec(state.unread)?.[1] ?? '?';
      reads.set(id, (reads.get(id) ?? 0) + 1);
      state.unread = '';
      if (THINK_MS_MAX > 0) setTimeout(answer, Math.random() * THINK_MS_MAX, socket);
      else answer(socket);
    },
    close(socket) {
      clearTimeout(socket.data?.timer);
    },
    error() {},
  },
});

process.stdout.write(`${listener.port}\n`);
for await (const _line of console) break;
process.stdout.write(`${JSON.stringify([...reads])}\n`);
process.exit();
