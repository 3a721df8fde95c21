/** What the clients of other languages need, made once and kept: Python's packages in an environment, and openai-go compiled. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = import.meta.dir;
/** Ignored by git. */
export const CACHE = join(FOLDER, 'node_modules/.cache');
const REQUIREMENTS = join(FOLDER, 'python/requirements.txt');

/** The interpreter of an environment with requirements.txt; null, and the reason printed, where it cannot be made. */
export async function pythonWithPackages(): Promise<string | null> {
  const pinned = readFileSync(REQUIREMENTS, 'utf8');
  const folder = join(CACHE, `python-${Bun.hash(pinned).toString(36)}`);
  const python = join(folder, 'bin/python');
  if (existsSync(join(folder, 'complete'))) return python;
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', REQUIREMENTS];
  const problem =
    (await failureOf(['python3', '-m', 'venv', '--clear', folder])) ?? (await failureOf([python, ...pip]));
  if (problem !== null) {
    console.log(`skipped: the clients in Python, which cannot be installed here: ${problem}`);
    return null;
  }
  writeFileSync(join(folder, 'complete'), '');
  return python;
}

/** The compiled program of go/; null, and the reason printed, where it cannot be built. */
export async function goProgram(): Promise<string | null> {
  const program = join(CACHE, 'openai-go');
  const problem = await failureOf(['go', 'build', '-o', program, '.'], join(FOLDER, 'go'));
  if (problem !== null) console.log(`skipped: openai-go, which cannot be built here: ${problem}`);
  return problem === null ? program : null;
}

/** Exact versions of the Python packages. */
export function pythonVersionOf(name: string): string {
  return new RegExp(`^${name}==(.+)$`, 'm').exec(readFileSync(REQUIREMENTS, 'utf8'))![1]!;
}

/** What a command printed when it failed, else null. */
async function failureOf(command: readonly string[], cwd = FOLDER): Promise<string | null> {
  if (Bun.which(command[0]!) === null) return `${command[0]} is not installed`;
  const child = Bun.spawn([...command], { cwd, stdout: 'pipe', stderr: 'pipe' });
  const [out, problem] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return (await child.exited) === 0 ? null : (problem || out).trim().slice(-500);
}
