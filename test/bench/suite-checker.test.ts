import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ExpectedAnswer, expectedAnswer } from '../../bench/suite/expected-answer.ts';
import { type Measurement, runLoad } from '../../bench/suite/load.ts';
import { startBenchMock } from '../../bench/suite/mock-process.ts';
import { readAnswer, readExpected } from '../../bench/suite/read-answer.ts';
import { ANSWERS } from '../../bench/suite/scenarios.ts';
import { type Faults, noFaults, StreamChecker } from '../../bench/suite/stream-checker.ts';
import { verifyAnswer } from '../../bench/suite/verify.ts';
import type { Scenario } from '../../src/mock/scenario.ts';
import type { MockServer } from '../../src/mock/server.ts';

const MODEL = 'burst';
const EVENTS = ANSWERS[MODEL]!.events!;
/** One stream for every position at which something can go wrong. */
const STREAMS = EVENTS - 1;

let folder: string;
let mock: MockServer;
let expected: Map<string, ExpectedAnswer>;
let change: (answer: Scenario) => Scenario = (answer) => answer;

const endpoint = () => ({ url: mock.url, headers: {}, pid: null });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bve-suite-test-'));
  mock = startBenchMock(folder, 0, (answer) => change(answer));
  const models = [MODEL, 'tool-call', 'error-answers'];
  expected = new Map(await Promise.all(models.map(async (m) => [m, await readExpected(endpoint(), m)] as const)));
});

afterAll(async () => {
  await mock.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Every stream of a load is answered with the fault at the next position. */
async function loadWith(fault: (position: number) => Scenario, connections = 2): Promise<Measurement> {
  let position = 0;
  change = (answer) => ({ ...answer, ...fault(position++) });
  const job = { endpoint: endpoint(), models: [MODEL], connections, warmUpS: 0, seconds: 0, amount: STREAMS };
  try {
    return await runLoad(job, expected);
  } finally {
    change = (answer) => answer;
  }
}

const faults = (found: Partial<Faults>): Faults => ({ ...noFaults(), ...found });

describe('a load through autocannon', () => {
  test('finds nothing wrong with a mock that is right, whichever way it is cut', async () => {
    const splits: Scenario[] = [{}, { split: 7 }, { wire_split: 11 }, { framing: 'length' }, { framing: 'trailers' }];
    const got = await loadWith((position) => splits[position % splits.length]!);
    expect(got.faults).toEqual(noFaults());
    expect(got.answers).toBe(STREAMS);
    expect(got.autocannon).toEqual({ answers: STREAMS, errors: 0 });
    expect(got.events).toBe(STREAMS * (EVENTS + 1));
  });

  test('catches two events that change places, in every stream', async () => {
    const got = await loadWith((position) => ({ reorder: [position, position + 1] }));
    expect(got.faults).toEqual(faults({ order: STREAMS }));
  });

  test('catches an event that is dropped, in every stream', async () => {
    const got = await loadWith((position) => ({ drop: position + 1 }));
    expect(got.faults).toEqual(faults({ missing: STREAMS }));
  });

  test('catches an event that comes twice, in every stream', async () => {
    const got = await loadWith((position) => ({ duplicate: position + 1 }));
    expect(got.faults).toEqual(faults({ duplicate: STREAMS }));
  });

  test('catches a stream that ends properly but too early, every one', async () => {
    const got = await loadWith((position) => ({ truncate_after_event: position }));
    expect(got.autocannon.errors).toBe(0);
    expect(got.faults.truncated).toBe(STREAMS);
    expect(got.faults.missing).toBe((STREAMS * EVENTS) / 2);
  });

  test('catches another status and other bytes', async () => {
    const got = await loadWith(() => ({ status: 201, event_bytes: 241 }));
    expect(got.faults).toEqual(faults({ status: STREAMS, altered: STREAMS * EVENTS }));
  });

  test.each([['reset'], ['end_early']] as const)('ends, and says so, when connections break: %s', async (kind) => {
    const got = await loadWith(() => ({ fault: { kind, after_bytes: 500 } }), 3);
    expect(got.faults.broken).toBe(3);
  });
});

describe('the checker', () => {
  test('finds the same for every split of the same bytes', async () => {
    const { pieces, status } = await readAnswer(endpoint(), MODEL);
    const body = Buffer.concat(pieces.map(({ piece }) => piece));
    for (let at = 1; at < body.length; at++) {
      let events = 0;
      const checker = new StreamChecker(expected.get(MODEL)!, () => events++);
      checker.push(body.subarray(0, at));
      checker.push(body.subarray(at));
      expect(checker.end(status)).toEqual(noFaults());
      expect(events).toBe(EVENTS + 1);
    }
  });

  test('notices any single byte that changes, but for the digits of a time', async () => {
    const body = Buffer.from('data: {"i":0,"t":123,"a":"b"}\n\ndata: {"i":1,"t":124,"a":"c"}\n\ndata: [DONE]\n\n');
    const right = expectedAnswer(200, 'text/event-stream', body);
    for (let at = 0; at < body.length; at++) {
      const changed = Buffer.from(body);
      changed[at]! ^= 1;
      const checker = new StreamChecker(right, () => {});
      checker.push(changed);
      const isTime = /\d/.test(String.fromCharCode(body[at]!)) && body.subarray(0, at).toString().endsWith('"t":12');
      const found = Object.values(checker.end(200)).some((count) => count > 0);
      // The first two digits of a time cannot be told from the last by the text before them.
      const inTime = isTime || /"t":1?$/.test(body.subarray(0, at).toString());
      expect({ at, found }).toEqual({ at, found: !inTime });
    }
  });

  test('compares an answer without events as a whole', () => {
    const right = expectedAnswer(429, 'application/json', Buffer.from('{"error":1}'));
    const verdictOn = (text: string) => {
      const checker = new StreamChecker(right, () => {});
      if (text !== '') checker.push(Buffer.from(text));
      return checker.end(429);
    };
    expect(verdictOn('{"error":1}')).toEqual(noFaults());
    expect(verdictOn('{"error":2}')).toEqual(faults({ altered: 1 }));
    expect(verdictOn('')).toEqual(faults({ missing: 1 }));
  });
});

describe('verification before timing', () => {
  test('passes what is upstream’s own, and hashes do not depend on the time of day', async () => {
    for (const [model, answer] of expected) {
      expect(await verifyAnswer(endpoint(), model, answer)).toEqual({ model, hash: answer.hash, difference: null });
    }
  });

  test('names what is different', async () => {
    change = (answer) => ({ ...answer, drop: 3 });
    const { difference } = await verifyAnswer(endpoint(), MODEL, expected.get(MODEL)!);
    change = (answer) => ({ ...answer, content_type: 'text/plain' });
    const other = await verifyAnswer(endpoint(), MODEL, expected.get(MODEL)!);
    change = (answer) => answer;
    expect(difference).toBe('body differs: missing 1');
    expect(other.difference).toBe('content-type text/plain, not text/event-stream');
  });
});
