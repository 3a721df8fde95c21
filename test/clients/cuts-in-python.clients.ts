/** The same cuts as in cuts.clients.ts, read by the Python packages, which get them all at once. */
import { expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pair } from '../support/pair.ts';
import { RECORDED_STREAMS } from '../support/streams.ts';
import { type Cut, completeFrom, cutStream, cutsOf, endsOf } from './cut-places.ts';
import { pythonWithPackages } from './toolchains.ts';

const bench = pair({ requestsMax: 0 });
setDefaultTimeout(Number.POSITIVE_INFINITY);

/** Python takes some milliseconds for each. */
const SAMPLE = 10;
const seed = Number(process.env.CUT_SEED ?? Math.floor(Math.random() * 1e9));
const python = await pythonWithPackages();
const STREAMS = RECORDED_STREAMS.filter(({ endpoint }) => endpoint !== '/v1/completions');

for (const suite of ['openai', 'anthropic', 'litellm']) {
  test.if(python !== null && STREAMS.length > 0)(
    `${suite} for Python raises, and never an error of its parser (CUT_SEED=${seed})`,
    async () => {
      // The model says which stream, where and how.
      const due = STREAMS.flatMap((stream, i) => {
        const ends = new Set(endsOf(stream));
        const models = cutsOf(stream, seed, SAMPLE).map(({ at, kind }) => ({
          model: `${i}:${at}:${kind}`,
          isBetween: ends.has(at),
          isComplete: at >= completeFrom(stream),
        }));
        const whole = { model: `${i}:whole:`, isBetween: false, isComplete: !stream.file.includes('error') };
        return [whole, ...models].map((cut) => ({ ...cut, endpoint: stream.endpoint, file: stream.file }));
      });
      bench.mock.script((request) => {
        const [i, at, kind] = String((request.json as { model?: string }).model).split(':');
        return cutStream(STREAMS[Number(i)]!, at === 'whole' ? null : { at: Number(at), kind: kind as Cut['kind'] });
      });
      const folder = mkdtempSync(join(tmpdir(), 'bve-cuts-'));
      const file = join(folder, 'cuts.json');
      writeFileSync(file, JSON.stringify(due));
      const script = join(import.meta.dir, 'python/cuts.py');
      const command = [python!, script, suite, `${bench.gateway.url}/v1`, bench.gateway.key, file];
      const env = { ...process.env, LITELLM_LOCAL_MODEL_COST_MAP: 'True' };
      const child = Bun.spawn(command, { env, stdout: 'pipe', stderr: 'inherit' });
      const { read, problems } = (await new Response(child.stdout).json()) as { read: number; problems: string[] };
      rmSync(folder, { recursive: true });
      expect(problems.slice(0, 10)).toEqual([]);
      expect(read).toBeGreaterThan(0);
      console.log(`${suite} for Python: ${read} cuts`);
    },
  );
}
