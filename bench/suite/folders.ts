/** Folders of the bench. Its cache is in node_modules, which is never committed. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT: string = resolve(import.meta.dir, '../..');
export const RESULTS: string = join(ROOT, 'bench/results');

/** The cache of one checkout. */
export function cacheFolder(root: string): string {
  const folder = join(root, 'node_modules/.cache/bve-bench');
  mkdirSync(folder, { recursive: true });
  return folder;
}
