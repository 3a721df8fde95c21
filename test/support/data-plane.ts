/** The data plane in this process, without a server around it: an active key, limits that always grant, real upstream client. */
import { BurstSmoother } from '../../src/gateway/burst-smoother.ts';
import { ENDPOINTS } from '../../src/gateway/endpoints.ts';
import { ExtraHeaders } from '../../src/gateway/extra-headers.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { KeyMask } from '../../src/gateway/key-mask.ts';
import { LeaveDrains } from '../../src/gateway/leave-drains.ts';
import { BodyReader } from '../../src/http/body-reader.ts';
import { Deadlines } from '../../src/http/deadlines.ts';
import { Permits } from '../../src/http/permits.ts';
import { createKey } from '../../src/keys/key.ts';
import { createLog } from '../../src/observe/log.ts';
import { singleTarget } from '../../src/upstream/create-targets.ts';
import { SocketClient } from '../../src/upstream/socket-client.ts';

const HOUR_MS = 3_600_000;
export const CHAT_ENDPOINT = ENDPOINTS.find(({ path }) => path === '/v1/chat/completions')!;
const { key, secret } = createKey({ name: 'test', rpmLimit: null, rpdLimit: null }, 0);

interface DataPlane {
  readonly gateway: Gateway;
  /** Of the key: taken and not given back. */
  readonly keyPermits: { taken: number };
}

export function dataPlane(upstreamUrl: string, parts: Partial<Gateway> = {}): DataPlane {
  const keyPermits = { taken: 0 };
  const deadlines = new Deadlines(HOUR_MS);
  const bodies = new BodyReader({ bytesMax: 1_000, bytesTotalMax: 10_000, timeoutMs: HOUR_MS, deadlines });
  const gateway: Gateway = {
    client: singleTarget('fuelix', socketClient(upstreamUrl), 'fx'),
    keys: { lookup: () => ({ kind: 'active', key }) },
    limiter: {
      admit: (_key, nowMs) => {
        keyPermits.taken++;
        return { granted: true, admittedAtMs: nowMs, reserve: () => null, release: () => keyPermits.taken-- };
      },
      status: () => {
        throw new Error('not asked for');
      },
    },
    observers: [],
    keyMask: new KeyMask('fx'),
    upstream5xx: 'error',
    accelBuffering: undefined,
    extraHeaders: new ExtraHeaders(''),
    usage: { usageDays: async () => [] },
    permits: new Permits(1000),
    streams: new Permits(1000),
    bursts: new BurstSmoother(),
    leaveDrains: new LeaveDrains(1),
    clock: performance,
    connections: { liftIdleTimeout: () => {}, restoreIdleTimeout: () => {} },
    deadlines,
    bodies,
    uploads: { bytesMax: 1_000, bytesMaxOption: 'MAX', idleTimeoutMs: HOUR_MS, deadlines, bodies },
    limits: {
      upstreamHeadTimeoutMs: HOUR_MS,
      upstreamIdleTimeoutMs: HOUR_MS,
      upstreamTotalTimeoutMs: HOUR_MS,
      clientStallTimeoutMs: HOUR_MS,
      leaveDrainMs: HOUR_MS,
      streamBreak: 'event',
      streamHeartbeatMs: 0,
    },
    injectStreamUsage: false,
    log: createLog('silent'),
    ...parts,
  };
  return { gateway, keyPermits };
}

function socketClient(upstreamUrl: string): SocketClient {
  return new SocketClient(upstreamUrl, {
    connectTimeoutMs: HOUR_MS,
    idleConnectionsMax: 1,
    idleLimitMs: HOUR_MS,
    ageMaxMs: HOUR_MS,
  });
}

export function chatRequest(fields: object, signal: AbortSignal = new AbortController().signal): Request {
  const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], ...fields });
  const headers = { authorization: `Bearer ${secret}`, 'content-length': String(Buffer.byteLength(body)) };
  return new Request('http://gateway/v1/chat/completions', { method: 'POST', body, headers, signal });
}
