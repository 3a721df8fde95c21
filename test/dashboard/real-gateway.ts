/** A real gateway with a mock upstream behind it and some traffic on it, for tests that look at it through the dashboard. */
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { ADMIN_KEY } from '../admin/admin-client.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';

export { ADMIN_KEY };

export const ANSWER = 'A gateway stands between clients and an API: it checks, passes on, and counts.';

export interface RealGateway {
  readonly gateway: GatewayProcess;
  readonly mock: MockServer;
  /** Whether it has a route of the admin API: some come later than the dashboard. */
  has(path: string): Promise<boolean>;
  /** One chat completion; its status. */
  chat(key: string, body?: object): Promise<number>;
  stop(): Promise<void>;
}

export async function startRealGateway(): Promise<RealGateway> {
  const mock = startMock();
  mock.script(() => ({ text: ANSWER, pace_ms: 5 }));
  const gateway = await startGatewayProcess({ upstreamUrl: mock.url, env: { ADMIN_API_KEY: ADMIN_KEY } });
  const chat = async (key: string, body: object = {}) => {
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'gpt-4o',
        stream: true,
        stream_options: { include_usage: true },
        messages: [{ role: 'user', content: 'Hello' }],
        ...body,
      }),
    });
    await response.arrayBuffer();
    return response.status;
  };
  return {
    gateway,
    mock,
    chat,
    has: async (path) => {
      const abort = new AbortController();
      const headers = { authorization: `Bearer ${ADMIN_KEY}` };
      const { status } = await fetch(`${gateway.url}${path}`, { headers, signal: abort.signal });
      abort.abort();
      return status !== 404;
    },
    stop: async () => {
      await gateway.stop();
      await mock.stop();
    },
  };
}
