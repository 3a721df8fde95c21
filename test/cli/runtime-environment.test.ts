/** What `bve serve` has Bun read from its environment, although nobody set it: seen where the kernel keeps it, in /proc. */

import { afterEach, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';

const compiled = Boolean(process.env.BVE_BIN);
if (!compiled) console.log('skipped: only the binary (BVE_BIN) tunes its runtime');

let gateway: GatewayProcess | undefined;

afterEach(async () => {
  await gateway?.stop();
  gateway = undefined;
});

async function environmentWith(env: Record<string, string>): Promise<Map<string, string>> {
  // Nobody asks upstream anything here.
  gateway = await startGatewayProcess({ upstreamUrl: 'http://127.0.0.1:9/v1', env });
  const entries = readFileSync(`/proc/${gateway.pid}/environ`, 'utf8').split('\0');
  return new Map(entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]));
}

test.if(compiled)('the binary tunes its runtime, in the process that was started', async () => {
  const environment = await environmentWith({});
  expect(environment.get('BUN_JSC_useFTLJIT')).toBe('0');
  expect(environment.get('BUN_JSC_thresholdForOptimizeAfterWarmUp')).toBe('200');
  expect(environment.get('BUN_GC_TIMER_INTERVAL')).toBe('10000');
  expect(environment.get('MIMALLOC_PURGE_DELAY')).toBe('10000');
  expect(environment.get('MIMALLOC_PURGE_HOLES_MIN_INTERVAL')).toBe('10000');
});

test.if(compiled)('what the operator has set stays', async () => {
  const environment = await environmentWith({ BUN_JSC_useFTLJIT: '1', MIMALLOC_PURGE_DELAY: '5' });
  expect(environment.get('BUN_JSC_useFTLJIT')).toBe('1');
  expect(environment.get('MIMALLOC_PURGE_DELAY')).toBe('5');
});
