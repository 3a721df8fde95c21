/** Invariant 1: bytes out = bytes in, in order, for every recorded stream, however it is cut; and its usage is known. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { Scenario } from '../../src/mock/scenario.ts';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { RECORDED_STREAMS, type RecordedStream, STREAMS_FOLDER, sha256 } from '../support/streams.ts';

/** The recorded legacy completion has no streaming endpoint of its own: its format is that of chat completions. */
const endpointOf = (stream: RecordedStream) =>
  stream.endpoint === '/v1/completions' ? '/v1/chat/completions' : stream.endpoint;

describe.skipIf(RECORDED_STREAMS.length === 0)('recorded streams', () => {
  let mock: MockServer;
  let gateway: GatewayProcess;
  let recorded = 0;

  beforeAll(async () => {
    mock = startMock({ port: 0, replayDir: STREAMS_FOLDER, requestsMax: 10 });
    gateway = await startGatewayProcess({ upstreamUrl: mock.url, env: { LOG_LEVEL: 'warn' } });
  });
  beforeEach(() => mock.reset());
  afterAll(async () => {
    await gateway.stop();
    await mock.stop();
  });

  async function replay(stream: RecordedStream, scenario: Scenario): Promise<Response> {
    mock.script({ replay: stream.file, ...scenario });
    recorded++;
    return fetch(gateway.url + endpointOf(stream), {
      method: 'POST',
      headers: { authorization: `Bearer ${gateway.key}` },
      body: JSON.stringify({ model: 'm', stream: true, messages: [] }),
    });
  }

  async function expectSameBytes(stream: RecordedStream, scenario: Scenario): Promise<void> {
    const response = await replay(stream, scenario);
    const body = new Uint8Array(await response.arrayBuffer());
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect({ bytes: body.length, sha256: sha256(body) }).toEqual({ bytes: stream.bytes, sha256: stream.sha256 });
  }

  async function expectUsage(stream: RecordedStream): Promise<void> {
    const [record] = await gateway.waitForUsage(recorded);
    const usage =
      record!.totalTokens === null
        ? null
        : { prompt: record!.promptTokens, completion: record!.completionTokens, total: record!.totalTokens };
    expect(usage as RecordedStream['usage']).toEqual(stream.usage);
    // One of them is an answer that upstream itself ended with an error.
    const failed = stream.file === 'responses-openai-error.sse';
    expect(record).toMatchObject({
      finish: failed ? 'error' : 'complete',
      errorCode: failed ? 'insufficient_quota' : null,
      bytesOut: stream.bytes,
      usageSource: stream.usage ? 'upstream' : 'none',
    });
  }

  for (const stream of RECORDED_STREAMS) {
    for (const [name, scenario] of Object.entries({
      'at full speed': {},
      'split every byte': { split: 1 },
      'split every 7 bytes': { split: 7 },
      'split every 64 bytes': { split: 64 },
      'ended by closing the connection': { framing: 'close' },
      'with a content-length': { framing: 'length' },
      compressed: { gzip: true },
    } satisfies Record<string, Scenario>)) {
      test(`${stream.file} ${name} comes through unchanged, with its usage`, async () => {
        await expectSameBytes(stream, scenario);
        await expectUsage(stream);
      });
    }

    test(`${stream.file} cut in two at every position of its first 2 kB comes through unchanged`, async () => {
      const positions = Array.from({ length: Math.min(2048, stream.bytes) - 1 }, (_, i) => i + 1);
      for (const position of positions) await expectSameBytes(stream, { split_at: [position] });
      await expectUsage(stream);
      const records = await gateway.usage();
      const same = records
        .slice(0, positions.length)
        .filter((record) => record.totalTokens === (stream.usage?.total ?? null));
      expect(same.length).toBe(positions.length);
    });
  }
});
