/**
 * What Bun, JavaScriptCore and mimalloc read from the environment once, when the process starts. Whoever starts the
 * gateway need not know of it: the process replaces itself (execve: same pid, same files) by one that has it set. What
 * the operator has set stays as it is.
 */
import { processEnvironment } from '../config/load.ts';

/** Calls after which JavaScriptCore compiles a function with its optimizing tier, instead of 1,000. */
const OPTIMIZE_AFTER = '200';

/**
 * For the binary only: under `bun` a second start costs more than it brings. Measured with streambench.py `quiet`,
 * processor time a stream 0.72 of what it is without, `burst` no worse after minutes either:
 * - The last tier of the JIT compiles for seconds what the tier before runs as fast: native code is where the time goes.
 * - The tier before it comes early, so that the warm-up (warm-up.ts) ends with compiled code: the compiler is a thread
 *   that competes with the first clients for the processor. `queue`, TTFB p99: 0.92 of what it is without.
 * - mimalloc gives unused memory back after 10 ms, and asks for it again with the next request; ten times a second a
 *   thread of Bun's looks for holes in pages that are in use. Every 10 s is soon enough for both: 4,000 streams are given
 *   back within 20 s, as without. `quiet`: 40 of 330 us a stream were that thread's.
 * - Bun collects garbage once a second although there is none. Every 10 s an idle gateway takes a sixth of the processor
 *   time (0.1 ms a second), and memory comes back as fast.
 */
const TUNING: Readonly<Record<string, string>> = {
  BUN_JSC_useFTLJIT: '0',
  BUN_JSC_thresholdForOptimizeAfterWarmUp: OPTIMIZE_AFTER,
  BUN_JSC_thresholdForOptimizeAfterLongWarmUp: OPTIMIZE_AFTER,
  BUN_JSC_thresholdForOptimizeSoon: OPTIMIZE_AFTER,
  BUN_GC_TIMER_INTERVAL: '10000',
  MIMALLOC_PURGE_DELAY: '10000',
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '10000',
};

/** Returns when nothing is to be changed; else the process begins anew. */
export function settleRuntimeEnvironment(): void {
  if (!isCompiled()) return;
  const env = processEnvironment();
  const wanted = Object.entries(TUNING).filter(([name]) => env[name] === undefined);
  if (wanted.length === 0) return;
  // A compiled binary is called with its own arguments only.
  const commandLine = [process.execPath, ...process.argv.slice(2)];
  process.execve?.(process.execPath, commandLine, { ...env, ...Object.fromEntries(wanted) });
}

/** What starts this very command again. */
export function bveCommand(): string[] {
  const own = process.argv.slice(2);
  return isCompiled() ? [process.execPath, ...own] : [process.execPath, ...process.execArgv, process.argv[1]!, ...own];
}

function isCompiled(): boolean {
  return Bun.main.startsWith('/$bunfs/');
}
