/**
 * What becomes of a request for each fault: observed on a running gateway, and written down in docs/faults.md. A fault of the mock
 * without a place here does not compile.
 */
import type { FAULT_KINDS, FRAMINGS, Scenario } from '../../src/mock/scenario.ts';
import { startMock } from '../../src/mock/server.ts';
import { eventually } from './eventually.ts';
import { startGatewayProcess } from './gateway.ts';
import { callOf, PLAIN, STREAM, textOf } from './pair.ts';
import { type RawAnswer, rawRequest } from './raw-client.ts';

type Kind = (typeof FAULT_KINDS)[number];
/** The others are sound, if unusual: `test/upstream/contract-answers.ts` has them pass. */
type Unsound = Exclude<
  (typeof FRAMINGS)[number],
  'chunked' | 'length' | 'close' | 'trailers' | 'chunk_extensions' | 'http10'
>;

const MOMENTS = ['before the head', 'inside the body', 'behind the end'] as const;
type Moment = (typeof MOMENTS)[number];
/** A scenario for a streamed and for a plain answer; a text says why there is none. */
type Cell = ((streamed: boolean) => Scenario) | string;
type Cells = Readonly<Record<Moment, Cell>>;

const TEXT = 'some words';
const sound = (streamed: boolean): Scenario =>
  streamed ? { text: TEXT } : { json: { object: 'x', pad: 'y'.repeat(200) } };
/** Inside the second event of a stream; between a head and its end. */
const INSIDE = 60;
/** More than there is: behind the last byte. */
const ALL = 1_000_000;

const HEAD_ONLY = 'it is a fault of the head';
const NO_HEAD = 'there is a head before it';
const fault =
  (kind: Kind, afterBytes?: number): Cell =>
  (streamed) => ({
    ...sound(streamed),
    fault: { kind, ...(afterBytes === undefined ? {} : { after_bytes: afterBytes }) },
  });
const framed =
  (framing: Unsound): Cell =>
  (streamed) => ({ ...sound(streamed), framing });

const breaks = (kind: 'reset' | 'end_early' | 'silence'): Cells => ({
  'before the head': kind === 'silence' ? 'that is `hang`' : 'that is `refuse`',
  'inside the body': fault(kind, INSIDE),
  'behind the end': fault(kind, ALL),
});
const ofHead = (cell: Cell): Cells => ({
  'before the head': cell,
  'inside the body': HEAD_ONLY,
  'behind the end': HEAD_ONLY,
});
const ofEnd = (cell: Cell): Cells => ({
  'before the head': NO_HEAD,
  'inside the body': 'it is a fault of the end',
  'behind the end': cell,
});

const FAULT_CELLS: Readonly<Record<Kind | Unsound | 'status_500' | 'status_401' | 'status_429' | 'status_400', Cells>> =
  {
    refuse: ofHead(fault('refuse')),
    hang: ofHead(fault('hang')),
    reset: breaks('reset'),
    end_early: breaks('end_early'),
    silence: breaks('silence'),
    close_idle: ofEnd(fault('close_idle')),
    reset_next: ofEnd(fault('reset_next')),
    garbage: ofHead(framed('garbage')),
    lf_only: ofHead(framed('lf_only')),
    both: ofHead(framed('both')),
    length_short: {
      'before the head': NO_HEAD,
      'inside the body': 'the body itself is whole',
      'behind the end': framed('length_short'),
    },
    length_long: {
      'before the head': NO_HEAD,
      'inside the body': framed('length_long'),
      'behind the end': 'the end is what is wrong',
    },
    bad_chunk_size: ofEnd(framed('bad_chunk_size')),
    short_chunk: ofEnd(framed('short_chunk')),
    status_400: ofHead(() => ({ status: 400, json: { error: { message: 'no' } } })),
    status_401: ofHead(() => ({ status: 401, json: { error: { message: 'no' } } })),
    status_429: ofHead(() => ({ status: 429, json: { error: { message: 'slowly' } } })),
    status_500: ofHead(() => ({ status: 500, json: { error: { message: 'broken' } } })),
  };

const ABOUT: Readonly<Record<keyof typeof FAULT_CELLS, string>> = {
  refuse: 'reset in place of an answer',
  hang: 'no answer (UPSTREAM_HEAD_TIMEOUT_MS)',
  reset: 'the connection is reset',
  end_early: 'the connection ends (FIN)',
  silence: 'nothing more comes (UPSTREAM_IDLE_TIMEOUT_MS)',
  close_idle: 'the kept connection ends after a whole answer',
  reset_next: 'the next request on the kept connection is reset',
  garbage: 'not HTTP',
  lf_only: 'lines that end in LF alone',
  both: 'content-length and chunks at once',
  length_short: 'fewer bytes than content-length says',
  length_long: 'more bytes than content-length says',
  bad_chunk_size: 'a chunk size that is no number',
  short_chunk: 'a chunk that is shorter than its size',
  status_400: 'status 400',
  status_401: 'status 401 (our own key is refused)',
  status_429: 'status 429',
  status_500: 'status 500',
};

interface Observed {
  readonly fault: string;
  readonly moment: Moment;
  readonly streamed: boolean;
  readonly status: string;
  readonly sees: string;
  readonly finish: string;
  readonly errorCode: string;
  readonly metric: string;
}

/** @returns the page as it must be */
export async function faultPage(): Promise<string> {
  const rows = await observeAll();
  const lines = rows.map(
    ({ fault, moment, streamed, status, sees, finish, errorCode, metric }) =>
      `| ${[fault, moment, streamed ? 'yes' : 'no', status, sees, finish, errorCode, metric].join(' | ')} |`,
  );
  return `# What becomes of a request when upstream fails

Observed on a running gateway with one target and the defaults, but for shorter timeouts: \`bun run docs:faults\` writes this page, and
\`test/gateway/fault-table.test.ts\` holds the gateway to it. With several targets a request that was not answered is sent to another one first.
Every row is one record of GET /admin/requests; the metric is the series of \`bve_requests_total\` that counts it.

| fault of upstream | when | streamed | status | the client sees | finish | error code | metric |
| --- | --- | --- | --- | --- | --- | --- | --- |
${lines.join('\n')}

Where a fault has no row for a moment:

${reasons()}
`;
}

function reasons(): string {
  const lines: string[] = [];
  for (const [name, cells] of Object.entries(FAULT_CELLS)) {
    const none = MOMENTS.filter((moment) => typeof cells[moment] === 'string').map(
      (moment) => `${moment}: ${cells[moment]}`,
    );
    if (none.length > 0) lines.push(`- ${ABOUT[name as keyof typeof FAULT_CELLS]} – ${none.join('; ')}`);
  }
  return lines.join('\n');
}

async function observeAll(): Promise<Observed[]> {
  const mock = startMock({ port: 0 });
  const gateway = await startGatewayProcess({
    upstreamUrl: mock.url,
    env: {
      LOG_LEVEL: 'error',
      METRICS_TOKEN: 'metrics-token-of-the-test',
      UPSTREAM_HEAD_TIMEOUT_MS: '400',
      UPSTREAM_IDLE_TIMEOUT_MS: '400',
    },
  });
  const series = async () => {
    const answer = await fetch(`${gateway.url}/metrics`, {
      headers: { authorization: 'Bearer metrics-token-of-the-test' },
    });
    const lines = (await answer.text()).split('\n').filter((line) => line.startsWith('bve_requests_total{'));
    return new Map(
      lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
    );
  };
  const send = (id: string, streamed: boolean) => {
    const call = callOf(gateway.key, { body: streamed ? STREAM : PLAIN, headers: { 'x-request-id': id } });
    return rawRequest(gateway.port, call).catch(() => null);
  };
  /** No connection to upstream is left that a fault has spoilt. */
  const recover = async () => {
    mock.script(sound(false));
    await eventually(async () => (await send(crypto.randomUUID(), false))?.status === 200);
  };
  const rows: Observed[] = [];
  try {
    for (const [name, cells] of Object.entries(FAULT_CELLS)) {
      for (const moment of MOMENTS) {
        const cell = cells[moment];
        if (typeof cell === 'string') continue;
        for (const streamed of [true, false]) {
          mock.script(cell(streamed));
          // What this one does is done to the request behind it.
          if (name === 'reset_next') {
            await send(crypto.randomUUID(), streamed);
            mock.script(sound(streamed));
          }
          const id = crypto.randomUUID();
          const before = await series();
          const answer = await send(id, streamed);
          const record = await eventually(async () =>
            (await gateway.usage()).find(({ requestId }) => requestId === id),
          );
          const after = await series();
          const counted = [...after].find(([labels, count]) => count !== (before.get(labels) ?? 0))?.[0] ?? '';
          rows.push({
            fault: ABOUT[name as keyof typeof FAULT_CELLS],
            moment,
            streamed,
            status: answer === null || answer.status === 0 ? 'none' : String(answer.status),
            sees: seenOf(answer, streamed),
            finish: record.finish,
            errorCode: record.errorCode ?? 'none',
            metric: `finish="${/finish="([^"]*)"/.exec(counted)?.[1]}"`,
          });
          await recover();
        }
      }
    }
  } finally {
    await gateway.stop();
    await mock.stop();
  }
  return rows;
}

function seenOf(answer: RawAnswer | null, streamed: boolean): string {
  if (answer === null || answer.status === 0) return 'a reset without a head';
  const text = textOf(answer);
  if (answer.status >= 400) {
    const code = /"code":"([a-z_]+)"/.exec(text)?.[1];
    return code ? `an error, \`${code}\`` : "upstream's own error";
  }
  if (text.includes('upstream_stream_interrupted'))
    return 'the error event `upstream_stream_interrupted`, then the end';
  if (!answer.complete) return streamed ? 'events, then a reset' : 'a part, then a reset';
  return streamed
    ? text.includes('[DONE]')
      ? 'the whole stream'
      : 'events, and an end without `[DONE]`'
    : 'the whole answer';
}
