/** Which build this is. `BVE_COMMIT` is put in place by scripts/build.ts; a checkout that runs from source asks git. */
import manifest from '../package.json';

declare const BVE_COMMIT: string | undefined;

export const VERSION: string = manifest.version;

/** The full commit hash; `unknown` outside a checkout. */
export function commit(): string {
  if (typeof BVE_COMMIT === 'string') return BVE_COMMIT;
  try {
    const git = Bun.spawnSync(['git', 'rev-parse', 'HEAD'], { cwd: import.meta.dir, stderr: 'ignore' });
    return git.stdout.toString().trim() || 'unknown';
  } catch {
    return 'unknown';
  }
}
