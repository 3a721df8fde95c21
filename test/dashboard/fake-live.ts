/** The events of /admin/live of a gateway under an even load. */
import type { KeyObject, RequestRecord, Target } from '../../src/dashboard/app/api/api-types.ts';
import { randomFrom } from '../support/random.ts';
import { makeRecord } from './fake-data.ts';

const TICK_MS = 50;

interface FakeLiveOptions {
  readonly requestsPerS: number;
  readonly keys: () => readonly KeyObject[];
  readonly targets: () => readonly Target[];
  readonly signal: AbortSignal;
  /** Nothing is sent while it is true, and the connection stays open. */
  readonly silent: () => boolean;
}

/** Snapshots once a second, finished requests as they come; ends with the signal or the reader. */
export function liveBody({ requestsPerS, keys, targets, signal, silent }: FakeLiveOptions): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const random = randomFrom(7);
  let timer: ReturnType<typeof setInterval>;
  let ticks = 0;
  let owed = 0;
  const errors: Record<string, number> = {};
  return new ReadableStream({
    start(controller) {
      const send = (name: string, data: unknown) =>
        controller.enqueue(encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`));
      const tick = () => {
        if (silent()) return;
        owed += (requestsPerS * TICK_MS) / 1000;
        for (; owed >= 1 && keys().length > 0; owed--) {
          const record: RequestRecord = makeRecord(random, keys(), Date.now());
          if (record.finish === 'error') errors[record.errorCode!] = (errors[record.errorCode!] ?? 0) + 1;
          send('request', record);
        }
        if (ticks++ % (1000 / TICK_MS) === 0) {
          send('snapshot', snapshot(requestsPerS, random(100) / 100, errors, targets()));
          if (ticks % (10_000 / TICK_MS) < 2) for (const code in errors) delete errors[code];
        }
      };
      tick();
      timer = setInterval(tick, TICK_MS);
      signal.addEventListener('abort', () => {
        clearInterval(timer);
        controller.error(new Error('the fake gateway was stopped'));
      });
    },
    cancel() {
      clearInterval(timer);
    },
  });
}

function snapshot(rate: number, noise: number, errors: Readonly<Record<string, number>>, targets: readonly Target[]) {
  const wave = 1 + 0.25 * Math.sin(Date.now() / 9000) + noise * 0.12;
  return {
    at: new Date().toISOString(),
    in_flight: Math.round(rate * 3.4 * wave),
    streams: Math.round(rate * 3 * wave),
    requests_per_s: Math.round(rate * wave * 10) / 10,
    tokens_per_s: Math.round(rate * 640 * wave),
    ttfb_ms: { p50: 180 * wave, p95: 520 * wave + noise * 90, p99: 880 * wave + noise * 260 },
    errors: { ...errors },
    targets,
  };
}
