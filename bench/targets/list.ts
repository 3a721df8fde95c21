/** Every target by name. */
import { bveBinary, bveSource } from './bve.ts';
import { caddy } from './caddy.ts';
import { direct } from './direct.ts';
import { nginx } from './nginx.ts';
import { portkey } from './portkey.ts';
import type { BenchTarget } from './target.ts';

/** @param mayInstall fetches missing targets where possible; otherwise they are skipped */
export function allTargets(mayInstall: boolean): readonly BenchTarget[] {
  return [direct, bveSource, bveBinary, nginx, caddy, portkey(mayInstall)];
}
