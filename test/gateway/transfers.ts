/**
 * Large uploads and downloads through the gateway's binary and through nginx, in turn: how fast, and what memory they take.
 *
 *     bun run build && bun test/gateway/transfers.ts [--rounds 5] [--upload-mb 100] [--download-mb 500] [--rate 1gbit]
 *
 * With --rate the client stands in a network namespace of its own, behind a link of that rate (tbf at both ends; the round trip is
 * that of the machine). Everything is on this machine: the upstream is a process of its own that throws away what it gets and sends what is asked for.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startGatewayProcess } from '../support/gateway.ts';
import { HAS_NGINX, startNginx } from '../support/nginx.ts';
import { inOwnNamespace, NEAR, shapedLink } from './shaped-link.ts';
import { transfer } from './transfer-client.ts';

const MB = 1024 * 1024;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    'upload-mb': { type: 'string', default: '100' },
    'download-mb': { type: 'string', default: '500' },
    rate: { type: 'string' },
    'in-namespace': { type: 'boolean', default: false },
    upstream: { type: 'boolean', default: false },
  },
});

if (values.upstream) serveUpstream();
else if (values.rate !== undefined && !values['in-namespace'])
  process.exitCode = await inOwnNamespace([...process.argv.slice(1), '--in-namespace']);
else await compare();

/** Prints its port. */
function serveUpstream(): void {
  const piece = Buffer.alloc(256 * 1024, 'x');
  interface Peer {
    head: string;
    missing: number;
    toSend: number;
  }
  const send = (socket: Bun.Socket<Peer>) => {
    while (socket.data.toSend > 0) {
      const written = socket.write(piece.subarray(0, Math.min(piece.length, socket.data.toSend)));
      if (written <= 0) return;
      socket.data.toSend -= written;
    }
  };
  const listener = Bun.listen<Peer>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open: (socket) => {
        socket.data = { head: '', missing: 0, toSend: 0 };
      },
      drain: send,
      data: (socket, bytes) => {
        const peer = socket.data;
        let body = bytes.length;
        if (peer.missing === 0) {
          peer.head += bytes.toString('latin1');
          const end = peer.head.indexOf('\r\n\r\n');
          if (end < 0) return;
          body = peer.head.length - end - 4;
          peer.missing = Number(/content-length: (\d+)/i.exec(peer.head)?.[1] ?? 0);
          const download = /^GET \S*\/(\d+)/.exec(peer.head);
          peer.head = '';
          if (download) {
            peer.toSend = Number(download[1]);
            socket.write(
              `HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: ${peer.toSend}\r\n\r\n`,
            );
            send(socket);
            return;
          }
        }
        peer.missing -= body;
        if (peer.missing === 0)
          socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}');
      },
    },
  });
  console.log(listener.port);
}

async function compare(): Promise<void> {
  const link = values.rate === undefined ? null : await shapedLink(values.rate);
  const host = link === null ? '127.0.0.1' : NEAR;
  const upstream = Bun.spawn([process.execPath, import.meta.path, '--upstream'], { stdout: 'pipe', stderr: 'inherit' });
  const { value } = await upstream.stdout.getReader().read();
  const upstreamPort = Number(Buffer.from(value!).toString());
  process.env.BVE_BIN ??= 'dist/bve';
  const gateway = await startGatewayProcess({
    upstreamUrl: `http://127.0.0.1:${upstreamPort}/v1`,
    env: { HOST: host, LOG_LEVEL: 'warn', WARM_UP_REQUESTS: '2000', MAX_UPLOAD_BYTES: String(1024 * MB) },
  });
  const nginx = HAS_NGINX ? await startNginx(upstreamPort, host) : null;
  if (nginx === null) console.log('nginx is not installed: no comparison');
  try {
    for (const [kind, bytes] of [
      ['upload', Number(values['upload-mb']) * MB],
      ['download', Number(values['download-mb']) * MB],
    ] as const) {
      const speedOf = async (port: number) => {
        const one = { kind, host, port, key: gateway.key, bytes };
        return bytes / MB / (await (link ?? { transfer }).transfer(one));
      };
      const speeds: Record<string, number[]> = { bve: [], nginx: [] };
      const idle = gateway.rss();
      let peak = idle;
      const watch = setInterval(() => {
        peak = Math.max(peak, gateway.rss());
      }, 5);
      const cpuBefore = cpuMs(gateway.pid);
      for (let round = 0; round < Number(values.rounds); round++) {
        speeds.bve!.push(await speedOf(gateway.port));
        if (nginx) speeds.nginx!.push(await speedOf(nginx.port));
      }
      clearInterval(watch);
      const [bve, other] = [median(speeds.bve!), nginx ? median(speeds.nginx!) : Number.NaN];
      console.log(
        `${kind} of ${bytes / MB} MB: ${bve.toFixed(0)} MB/s, nginx ${other.toFixed(0)} MB/s, ratio ${(bve / other).toFixed(2)};`,
        `memory ${(idle / MB).toFixed(0)} MB idle, +${((peak - idle) / MB).toFixed(1)} MB at the most;`,
        `${((cpuMs(gateway.pid) - cpuBefore) / Number(values.rounds)).toFixed(0)} ms of processor time each`,
      );
    }
  } finally {
    await gateway.stop();
    await nginx?.stop();
    upstream.kill();
    link?.stop();
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
}

/** Of a process so far. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
