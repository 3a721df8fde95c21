/** Progress on standard error: one rewritten line on a terminal, otherwise a line per round and target. */
import type { Progress } from './rounds.ts';

interface ProgressLine {
  readonly tell: Progress;
  done(): void;
}

export function progressLine(stream: NodeJS.WriteStream = process.stderr): ProgressLine {
  const startedMs = performance.now();
  let lastLine = '';
  const tell: Progress = (text, share) => {
    const line = `${String(Math.round(share * 100)).padStart(3)}%  ${text}${remaining(share, performance.now() - startedMs)}`;
    if (stream.isTTY) {
      stream.write(`\r\x1b[K${line}`);
      return;
    }
    // Without a terminal, one line per round and target is enough.
    const key = text.split(', ').slice(0, 2).join(', ');
    if (key !== lastLine) stream.write(`${line}\n`);
    lastLine = key;
  };
  return {
    tell,
    done: () => {
      if (stream.isTTY) stream.write('\r\x1b[K');
    },
  };
}

function remaining(share: number, elapsedMs: number): string {
  if (share < 0.03) return '';
  const leftS = Math.round((elapsedMs / share - elapsedMs) / 1000);
  return `  (${Math.floor(leftS / 60)}:${String(leftS % 60).padStart(2, '0')} left)`;
}
