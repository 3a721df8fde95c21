/** The least a configuration needs, and what it is refused for, without a process. */
import { afterEach } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../../src/config/config-error.ts';
import { type LoadRequest, loadConfig } from '../../src/config/load.ts';

export const SECRETS = {
  FUELIX_API_KEY: 'fx-secret-key-7c1d',
  ADMIN_API_KEY: 'adm-secret-key-93af',
  API_KEY_PEPPER: 'pep-secret-pepper-5b20',
} as const;
export const REQUIRED = { FUELIX_API_KEY: SECRETS.FUELIX_API_KEY, API_KEY_PEPPER: SECRETS.API_KEY_PEPPER };

const folders: string[] = [];

/** Deletes the files of `tomlFile` after each test of the file that calls this. */
export function cleanUpFiles(): void {
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });
}

export function tomlFile(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'bve-config-'));
  folders.push(folder);
  const path = join(folder, 'bve.toml');
  writeFileSync(path, text);
  return path;
}

/** What the configuration is refused for; [] when it is taken. */
export function problemsOf(request: LoadRequest): readonly string[] {
  try {
    loadConfig(request);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
