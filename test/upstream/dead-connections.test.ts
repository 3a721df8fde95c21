/** An upstream that vanishes without a word is noticed; one that only thinks for long is not cut. */
import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { inNamespace, whyNoNamespaces } from '../support/network-namespace.ts';
import type { DeadConnections } from './dead-connections.ts';

const skipped = whyNoNamespaces() ?? (Bun.which('nsenter') ? null : 'nsenter (util-linux) is not there');
if (skipped) console.log(`skipped: packets are dropped between client and upstream: ${skipped}`);

const DEAD_WITHIN_MS = 15_000;

test.skipIf(skipped !== null)(
  'upstream is cut off: each request fails within 15 s, and a silent upstream is not cut',
  async () => {
    const seen = await inNamespace<DeadConnections>(join(import.meta.dir, 'dead-connections.ts'));
    for (const { ended, ms } of [...seen.pooled, seen.working]) {
      expect(ended).toBe('reset');
      expect(ms).toBeLessThan(DEAD_WITHIN_MS);
    }
    expect(seen.thinking.ended).toBe('end');
    expect(seen.thinking.ms).toBeGreaterThan(DEAD_WITHIN_MS);
  },
  60_000,
);
