/**
 * A link of a given rate between this process, in a network namespace of its own, and a client in another: a veth pair with a
 * token bucket at both ends. Needs Linux, root, unshare, nsenter and tc with tbf.
 */
import { join } from 'node:path';
import type { Transfer } from './transfer-client.ts';

export const NEAR = '10.99.0.1';
const FAR = '10.99.0.2';

interface ShapedLink {
  /** Seconds that the client at the other end took. */
  transfer(of: Transfer): Promise<number>;
  stop(): void;
}

/** Runs this program again in a namespace of its own; its exit code. */
export function inOwnNamespace(args: readonly string[]): Promise<number> {
  const command = ['unshare', '--net', process.execPath, ...args];
  return Bun.spawn(command, { stdio: ['ignore', 'inherit', 'inherit'] }).exited;
}

/** @param rate as tc writes it, e.g. 1gbit. @throws what ip or tc says */
export async function shapedLink(rate: string): Promise<ShapedLink> {
  const client = Bun.spawn(['unshare', '--net', process.execPath, join(import.meta.dir, 'transfer-client.ts')], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const lines = linesOf(client.stdout);
  await lines.next();
  const far = `nsenter --net=/proc/${client.pid}/ns/net`;
  // A packet that the kernel hands over may be 64 kB: the bucket holds a few.
  const shape = `root tbf rate ${rate} burst 256kb latency 50ms`;
  for (const command of [
    'ip link set lo up',
    'ip link add near0 type veth peer name far0',
    `ip link set far0 netns ${client.pid}`,
    `ip addr add ${NEAR}/24 dev near0`,
    'ip link set near0 up',
    `${far} ip addr add ${FAR}/24 dev far0`,
    `${far} ip link set far0 up`,
    `tc qdisc add dev near0 ${shape}`,
    `${far} tc qdisc add dev far0 ${shape}`,
  ]) {
    const { exitCode, stderr } = Bun.spawnSync(command.split(' '));
    if (exitCode !== 0) {
      client.kill();
      throw new Error(`${command}: ${stderr.toString().trim()}`);
    }
  }
  return {
    transfer: async (of) => {
      client.stdin.write(`${JSON.stringify(of)}\n`);
      client.stdin.flush();
      return Number((await lines.next()).value);
    },
    stop: () => client.kill(),
  };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = '';
  for await (const bytes of stream) {
    const lines = (rest + Buffer.from(bytes).toString()).split('\n');
    rest = lines.pop()!;
    yield* lines;
  }
}
