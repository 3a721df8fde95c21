/** What node:http reads of a response: in a process of its own, through the public client, over loopback. */
interface NodeAnswer {
  readonly status?: number;
  /** In Latin-1. */
  readonly body?: string;
  readonly error?: string;
}

/** @param wires what the server says, in Latin-1, before it closes; each on a connection of its own */
export async function readByNode(wires: readonly string[]): Promise<NodeAnswer[]> {
  const child = Bun.spawn(['node', '-e', SCRIPT], { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' });
  child.stdin.write(JSON.stringify(wires.map((wire) => Buffer.from(wire, 'latin1').toString('base64'))));
  await child.stdin.end();
  const out = await child.stdout.text();
  if ((await child.exited) !== 0) throw new Error('node failed');
  return JSON.parse(out) as NodeAnswer[];
}

const SCRIPT = `
const http = require('node:http');
const net = require('node:net');
const { text } = require('node:stream/consumers');

const server = net.createServer((socket) => {
  socket.on('error', () => {});
  socket.once('data', (bytes) => {
    socket.end(wires[Number(/^GET \\/(\\d+)/.exec(bytes.toString('latin1'))[1])]);
    socket.resume();
  });
});

function ask(port, index) {
  return new Promise((resolve) => {
    const request = http.get({ host: '127.0.0.1', port, path: '/' + index, agent: false }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', (error) => resolve({ error: error.code || error.message }));
      response.on('end', () => {
        const body = Buffer.concat(parts).toString('latin1');
        resolve(response.complete ? { status: response.statusCode, body } : { error: 'incomplete' });
      });
    });
    request.on('upgrade', () => resolve({ error: 'upgrade' }));
    request.on('error', (error) => resolve({ error: error.code || error.message }));
  });
}

let wires;
text(process.stdin).then((input) => {
  wires = JSON.parse(input).map((wire) => Buffer.from(wire, 'base64'));
  server.listen(0, '127.0.0.1', async () => {
    const answers = [];
    let next = 0;
    const worker = async () => {
      while (next < wires.length) {
        const index = next++;
        answers[index] = await ask(server.address().port, index);
      }
    };
    await Promise.all(Array.from({ length: 32 }, worker));
    server.close();
    process.stdout.write(JSON.stringify(answers), () => process.exit());
  });
});
`;
