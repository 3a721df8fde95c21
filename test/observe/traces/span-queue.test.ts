import { expect, test } from 'bun:test';
import { SpanQueue } from '../../../src/observe/traces/span-queue.ts';

const LONG_MS = 3_600_000;

/** A queue whose collector answers when the test says so. */
function queueOf(parts: { queueMax?: number; batchMax?: number; delayMs?: number; exportTimeoutMs?: number } = {}) {
  const batches: number[][] = [];
  const answers: PromiseWithResolvers<void>[] = [];
  const reasons: string[] = [];
  const queue = new SpanQueue<number>({
    queueMax: 10,
    batchMax: 3,
    delayMs: LONG_MS,
    exportTimeoutMs: LONG_MS,
    ...parts,
    send: (batch) => {
      batches.push(batch);
      const answer = Promise.withResolvers<void>();
      answers.push(answer);
      return answer.promise;
    },
    onDropped: (spans, { message }) => reasons.push(`${spans} ${message}`),
  });
  return { queue, batches, answers, reasons };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a batch goes when it is full, and the next when it was taken', async () => {
  const { queue, batches, answers } = queueOf();
  queue.push([1, 2]);
  expect(batches).toEqual([]);
  queue.push([3, 4]);
  queue.push([5, 6, 7]);
  expect(batches).toEqual([[1, 2, 3]]);
  answers[0]!.resolve();
  await turn();
  expect(batches).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  answers[1]!.resolve();
  await turn();
  expect(batches.length).toBe(2);
  expect(queue.dropped).toBe(0);
});

test('one that is not full goes after the delay', async () => {
  const { queue, batches } = queueOf({ delayMs: 1 });
  queue.push([1]);
  while (batches.length === 0) await Bun.sleep(1);
  expect(batches).toEqual([[1]]);
});

test('what does not fit is dropped and counted, a request at a time', async () => {
  const { queue, batches, reasons } = queueOf({ queueMax: 4, batchMax: 3 });
  queue.push([1, 2, 3]);
  queue.push([4, 5, 6]);
  queue.push([7, 8]);
  queue.push([9]);
  expect([batches, reasons, queue.dropped]).toEqual([[[1, 2, 3]], ['2 too many spans are waiting'], 2]);
});

test('a batch that the collector refuses, or does not answer, is dropped, and the next one sent', async () => {
  const { queue, batches, answers, reasons } = queueOf({ exportTimeoutMs: 20 });
  queue.push([1, 2, 3, 4, 5, 6]);
  answers[0]!.reject(new Error('503'));
  await turn();
  expect([batches.length, reasons]).toEqual([2, ['3 503']]);
  while (reasons.length < 2) await Bun.sleep(1);
  expect(reasons[1]).toBe('3 the collector did not answer in time');
  answers[1]!.reject(new Error('too late to count'));
  await turn();
  expect(queue.dropped).toBe(6);
});

test('at the end all that waits is sent, and what is not taken in time is counted once', async () => {
  const { queue, batches, answers, reasons } = queueOf();
  queue.push([1, 2, 3, 4]);
  const closed = queue.close(LONG_MS);
  answers[0]!.resolve();
  await turn();
  expect(batches).toEqual([[1, 2, 3], [4]]);
  answers[1]!.resolve();
  await closed;
  expect(queue.dropped).toBe(0);

  const other = queueOf();
  other.queue.push([1, 2, 3, 4]);
  await other.queue.close(5);
  other.answers[0]!.reject(new Error('gone'));
  await turn();
  expect([other.reasons, other.queue.dropped]).toEqual([['4 the collector did not take them before the stop'], 4]);
  other.queue.push([5]);
  expect(other.queue.dropped).toBe(5);
  expect(reasons).toEqual([]);
});
