/** curl as a client: what it printed, in bytes, and how it ended. */
export const CURL_MISSING = Bun.which('curl') === null;
if (CURL_MISSING) console.warn('skipped: curl is not installed');

interface Curled {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly text: string;
  readonly stderr: string;
}

export async function curl(args: readonly string[], stdin?: Uint8Array): Promise<Curled> {
  const child = Bun.spawn(['curl', '--silent', '--show-error', '--noproxy', '*', ...args], {
    // Neither a proxy nor a .curlrc of the machine.
    env: { PATH: process.env.PATH ?? '', CURL_HOME: '/nonexistent', HOME: '/nonexistent' },
    stdin: stdin ?? 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).bytes(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { exitCode, stdout, stderr, text: new TextDecoder().decode(stdout) };
}

/** The heads that `curl -i` printed, in order (1xx first), each as [status line, ...fields], and the body behind them. */
export function headsOf(text: string): { heads: string[][]; body: string } {
  const heads: string[][] = [];
  let rest = text;
  while (rest.startsWith('HTTP/')) {
    const end = rest.indexOf('\r\n\r\n');
    heads.push(rest.slice(0, end).split('\r\n'));
    rest = rest.slice(end + 4);
    if (!/^HTTP\/1.1 1/.test(heads.at(-1)![0]!)) break;
  }
  return { heads, body: rest };
}
