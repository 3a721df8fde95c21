import { expect, test } from 'bun:test';
import { closeSync, openSync } from 'node:fs';
import { LineOutput } from '../../src/observe/line-output.ts';
import { eventually } from '../support/eventually.ts';
import { openFifo } from '../support/fifo.ts';

/** Of a pipe, by default. */
const PIPE_BYTES = 65_536;
const LINE = `${'x'.repeat(99)}\n`;

function outputTo(fd: number, queueBytesMax?: number) {
  const troubles: string[] = [];
  const output = new LineOutput({
    fd,
    ...(queueBytesMax === undefined ? {} : { queueBytesMax }),
    onTrouble: (reason) => troubles.push(reason),
    droppedLine: (count) => `${count} dropped\n`,
  });
  return { output, troubles };
}

test('the lines of one turn of the event loop arrive in order, long ones and many-byte characters whole', async () => {
  using fifo = openFifo();
  const { output, troubles } = outputTo(fifo.writer);
  const lines = ['first\n', `${'long '.repeat(3_000)}\n`, `${'\u{1F511}é'.repeat(2_000)}\n`, 'last\n'];
  for (const line of lines) output.write(line);
  let text = '';
  await eventually(() => {
    text += fifo.read();
    return text.endsWith('last\n');
  });
  expect(text).toBe(lines.join(''));
  expect(troubles).toEqual([]);
});

test('a pipe that nobody reads never makes it wait; what is kept has a bound, the rest is dropped and counted', async () => {
  using fifo = openFifo();
  const { output, troubles } = outputTo(fifo.writer, 10_000);
  const count = 5_000;
  for (let i = 0; i < count; i++) {
    output.write(LINE);
    output.flush();
  }
  expect(troubles).toEqual(['stdout is not read, lines are dropped']);
  let text = '';
  await eventually(() => {
    text += fifo.read();
    return text.endsWith(' dropped\n');
  });
  const lines = text.split('\n').slice(0, -1);
  const said = Number(lines.pop()!.split(' ')[0]);
  expect(lines.every((line) => `${line}\n` === LINE)).toBe(true);
  expect(lines.length + said).toBe(count);
  expect(lines.length * LINE.length).toBeGreaterThan(PIPE_BYTES - 4096);
  expect(lines.length * LINE.length).toBeLessThanOrEqual(PIPE_BYTES + 10_000);
  output.write('again\n');
  output.flush();
  expect(fifo.read()).toBe('again\n');
});

test('when the pipe is closed it says so once and keeps nothing', () => {
  using fifo = openFifo();
  fifo.closeReader();
  const { output, troubles } = outputTo(fifo.writer);
  for (let i = 0; i < 100; i++) {
    output.write(LINE);
    output.flush();
  }
  expect(troubles).toEqual(['the pipe is closed']);
});

test('a full disk is told once, and lines are kept up to the bound', () => {
  const fd = openSync('/dev/full', 'w');
  const { output, troubles } = outputTo(fd, 1_000);
  for (let i = 0; i < 100; i++) {
    output.write(LINE);
    output.flush();
  }
  expect(troubles).toEqual([expect.stringContaining('ENOSPC')]);
  closeSync(fd);
});
