/** Every target by name. */
import { bveBinary, bveSource } from './bve.ts';
import { caddy } from './caddy.ts';
import { direct } from './direct.ts';
import { nginx } from './nginx.ts';
import { portkey } from './portkey.ts';
import type { BenchTarget } from './target.ts';

/** @param mayInstall those that can be fetched are fetched; otherwise they are skipped unless they are there */
export function allTargets(mayInstall: boolean): readonly BenchTarget[] {
  return [direct, bveSource, bveBinary, nginx, caddy, portkey(mayInstall)];
}
