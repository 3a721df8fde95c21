/** Folders of the bench. What it makes for itself is in node_modules, which nobody commits and `bun install` may sweep. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT: string = resolve(import.meta.dir, '../..');
export const RESULTS: string = join(ROOT, 'bench/results');

/** Of one checkout. */
export function cacheFolder(root: string): string {
  const folder = join(root, 'node_modules/.cache/bve-bench');
  mkdirSync(folder, { recursive: true });
  return folder;
}
