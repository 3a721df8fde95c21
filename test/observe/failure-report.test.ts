import { expect, test } from 'bun:test';
import { FailureReport, type Failures } from '../../src/observe/failure-report.ts';

test('the first failure is told at once, the others together when the interval is over', async () => {
  const told: Failures[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const report = new FailureReport((failures) => {
    told.push(failures);
    if (told.length === 2) resolve();
  }, 200);
  report.count(new Error('first'));
  for (let i = 0; i < 5_000; i++) report.count(new Error(`other ${i}`));
  expect(told).toEqual([{ count: 1, error: new Error('first') }]);
  await promise;
  expect(told[1]).toEqual({ count: 5_000, error: new Error('other 4999') });
  expect(report.total).toBe(5_001);
});
