/** Loaded before the tests (bunfig.toml): a test that leaves a process behind fails the run. */
import { afterAll } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';

/** What a test has told to end may still be ending. */
const ENDS_WITHIN_MS = 5000;

afterAll(async () => {
  const until = performance.now() + ENDS_WITHIN_MS;
  let left = children();
  while (left.length > 0 && performance.now() < until) {
    await Bun.sleep(20);
    left = children();
  }
  for (const { pid } of left) process.kill(pid, 'SIGKILL');
  if (left.length > 0) throw new Error(`left behind: ${left.map(({ command }) => command).join('; ')}`);
});

/** The processes that this one has started and that still run. None where there is no /proc. */
function children(): { pid: number; command: string }[] {
  let pids: number[];
  try {
    pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
  return pids.flatMap((pid) => {
    try {
      // proc(5): the name is in parentheses and may hold anything; the state and the parent follow.
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(parent) !== process.pid || state === 'Z') return [];
      const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
      return [{ pid, command }];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}
