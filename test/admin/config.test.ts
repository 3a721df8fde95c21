/** GET /admin/config: what `bve check` shows, of the gateway that runs. */
import { expect, test } from 'bun:test';
import { OPTIONS } from '../../src/config/schema.ts';
import { FUELIX_KEY, PEPPER } from '../support/gateway.ts';
import { pair } from '../support/pair.ts';
import { ADMIN_KEY, adminCall } from './admin-client.ts';

const bench = pair({ env: { ADMIN_API_KEY: ADMIN_KEY, MAX_BODY_BYTES: '1000' } });

test('every option with its value and where it comes from, secrets as ***', async () => {
  const { status, json, text } = await adminCall(bench.gateway, '/config');
  expect(status).toBe(200);
  expect(Object.keys(json)).toEqual(Object.values(OPTIONS).map(({ env }) => env.toLowerCase()));
  expect(json).toMatchObject({
    admin_api_key: { value: '***', source: 'environment' },
    max_body_bytes: { value: 1000, source: 'environment' },
    usage_retention_days: { value: 0, source: 'default' },
  });
  for (const secret of [ADMIN_KEY, FUELIX_KEY, PEPPER]) expect(text).not.toContain(secret);
  expect((await adminCall(bench.gateway, '/config', { headers: { authorization: '' } })).status).toBe(401);
});
