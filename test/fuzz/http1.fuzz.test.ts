/**
 * Seeded fuzz of the response reader: right responses under any split, spoiled ones, and both against other parsers.
 * FUZZ_SEED and FUZZ_CASES repeat or extend a run; a failure prints what repeats it.
 */
import { describe, expect, test } from 'bun:test';
import { type Random, randomFrom } from '../support/random.ts';
import { cut, ReaderLog } from '../upstream/read-responses.ts';
import { cutsOf, type RightResponse, rightResponse, spoil } from './http1-cases.ts';
import { oracle } from './http1-oracle.ts';
import { readByNode } from './node-http.ts';

const SEED = Number(process.env.FUZZ_SEED ?? 20_240_601);
const CASES = Number(process.env.FUZZ_CASES ?? 150_000);
/** Each is a connection, and none of them needs more to show a difference in kind. */
const NODE_CASES = Math.min(CASES, 1_500);
const TIMEOUT_MS = Math.max(60_000, CASES);

/** What an honest upstream answers next: whoever kept a byte of the response before it would show here. */
const NEXT = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext';

function forEachCase(count: number, salt: number, check: (random: Random) => string | undefined): void {
  for (let i = 0; i < count; i++) {
    const seed = SEED + salt + i;
    const complaint = complaintOf(() => check(randomFrom(seed)));
    if (complaint) throw new Error(`${complaint}\nrepeat: FUZZ_SEED=${seed - salt} FUZZ_CASES=1`);
  }
}

function complaintOf(check: () => string | undefined): string | undefined {
  try {
    return check();
  } catch (error) {
    return `threw ${String((error as Error).stack)}`;
  }
}

const readsOf = (wire: string, cuts: readonly number[]) => cut(Buffer.from(wire, 'latin1'), cuts);

describe('right responses', () => {
  test(
    'several on one connection, in any split: each is read as it was written',
    () => {
      forEachCase(CASES / 5, 0, (random) => {
        const log = new ReaderLog();
        for (let count = 0; count < 6; count++) {
          const right = rightResponse(random);
          log.reader.expect();
          log.push(...readsOf(right.wire, cutsOf(random, right.wire.length)));
          const complaint = compare(log, right, count + 1);
          if (complaint) return `${complaint} in ${JSON.stringify(right)}`;
          if (!log.reader.reusable) break;
        }
        return undefined;
      });
    },
    TIMEOUT_MS,
  );

  test(
    'the oracle reads them as they were written, too',
    () => {
      forEachCase(CASES / 10, 1_000_000_000, (random) => {
        const right = rightResponse(random);
        const said = oracle(right.wire, true);
        const same =
          said.kind === 'complete' && said.status === right.status && said.body === right.body && !said.surplus;
        return same ? undefined : `the oracle says ${JSON.stringify(said)} of ${JSON.stringify(right)}`;
      });
    },
    TIMEOUT_MS,
  );

  function compare(log: ReaderLog, right: RightResponse, count: number): string | undefined {
    if (log.error) return `refused (${log.error.message})`;
    if (log.responses.length !== count) return `${log.responses.length} responses`;
    if (right.closes !== !log.last!.complete) return 'it ended at the wrong time';
    if (right.closes && !log.reader.closedInOrder()) return 'no end by closing';
    if (log.last!.head.status !== right.status || log.body.toString('latin1') !== right.body) return 'another answer';
    if (log.reader.reusable !== right.reusable) return `reusable ${log.reader.reusable}`;
    return undefined;
  }
});

describe('spoiled responses', () => {
  test(
    'nothing but Http1Error, nothing that did not come, the same in any split, nothing in the next response',
    () => {
      const seen = { complete: 0, incomplete: 0, refused: 0 };
      forEachCase(CASES, 2_000_000_000, (random) => {
        const wire = spoil(random, rightResponse(random).wire, () => rightResponse(random).wire);
        const [whole, split] = [[], cutsOf(random, Math.min(wire.length, 4_000))].map((cuts) => {
          const log = new ReaderLog();
          log.reader.expect();
          return log.push(...readsOf(wire, cuts));
        }) as [ReaderLog, ReaderLog];
        const complaint =
          (whole.summary === split.summary ? undefined : `split: ${whole.summary} or ${split.summary}`) ??
          judge(whole, wire) ??
          judge(split, wire);
        seen[whole.error ? 'refused' : whole.last?.complete ? 'complete' : 'incomplete']++;
        return complaint && `${complaint} in ${JSON.stringify(wire.slice(0, 3_000))}`;
      });
      // A generator that spoils nothing, or everything, would test nothing.
      for (const count of Object.values(seen)) if (CASES >= 1_000) expect(count).toBeGreaterThan(CASES / 50);
    },
    TIMEOUT_MS,
  );

  function judge(log: ReaderLog, wire: string): string | undefined {
    const { reader, responses } = log;
    if (responses.length > 1) return 'more responses than requests';
    if (log.bytes > wire.length) return 'more body than came';
    if (log.error && reader.reusable) return 'reusable after an error';
    if (!log.last?.complete && reader.reusable) return 'reusable before the end';
    return compareWithOracle(log, wire) ?? leak(log) ?? undefined;
  }

  function compareWithOracle({ last, body, error }: ReaderLog, wire: string): string | undefined {
    const said = oracle(wire, false);
    if ((said.kind === 'complete') !== (last?.complete === true)) return `the oracle says ${said.kind}`;
    if (said.kind === 'refused' && !error) return 'the oracle refuses it';
    if (said.kind !== 'complete') return undefined;
    if (said.status !== last!.head.status || said.body !== body.toString('latin1'))
      return 'the oracle has another answer';
    return said.surplus === (error !== undefined) ? undefined : 'surplus that was not refused, or the other way round';
  }

  function leak(log: ReaderLog): string | undefined {
    if (!log.reader.reusable) return undefined;
    log.reader.expect();
    log.push(Buffer.from(NEXT));
    const own = !log.error && log.responses.length === 2 && log.last!.complete && log.body.toString() === 'next';
    return own ? undefined : `the next response was ${log.summary}`;
  }
});

/**
 * Smuggling needs two parsers that disagree. Node's is llhttp; it is asked through its public client, over loopback.
 * It may refuse what is read here as whole (repeated lengths, an empty chunk extension: RFC 9112 allows to read those); it
 * must not read another answer out of it.
 */
describe.skipIf(!Bun.which('node'))('against node:http', () => {
  test.each([
    ['right', 3_000_000_000],
    ['spoiled', 4_000_000_000],
  ] as const)(
    '%s responses that both call whole are the same response',
    async (kind, salt) => {
      const wires = Array.from({ length: NODE_CASES }, (_, i) => {
        const random = randomFrom(SEED + salt + i);
        const { wire } = rightResponse(random);
        return kind === 'right' ? wire : spoil(random, wire, () => rightResponse(random).wire);
      });
      const answers = await readByNode(wires);
      let both = 0;
      for (const [i, wire] of wires.entries()) {
        const log = new ReaderLog();
        log.reader.expect();
        log.push(Buffer.from(wire, 'latin1'));
        if (!log.error) log.reader.closedInOrder();
        if (!log.last?.complete) continue;
        const node = answers[i]!;
        if (node.error !== undefined) continue;
        both++;
        const same = node.status === log.last.head.status && node.body === log.body.toString('latin1');
        const where = `${JSON.stringify(wire)}\nrepeat: FUZZ_SEED=${SEED + i} FUZZ_CASES=1`;
        if (!same) throw new Error(`node reads ${JSON.stringify(node)}, we ${JSON.stringify(log.summary)} of ${where}`);
      }
      if (NODE_CASES >= 1_000) expect(both).toBeGreaterThan(NODE_CASES / 10);
    },
    TIMEOUT_MS,
  );
});
