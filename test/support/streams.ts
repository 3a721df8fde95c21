/** The recorded provider streams next to the checkout. They are not part of the project: without them tests print so and skip. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const STREAMS_FOLDER = resolve(import.meta.dir, '../../../shared/streams');

export interface RecordedStream {
  readonly file: string;
  readonly endpoint: string;
  readonly events: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly usage: { readonly prompt: number; readonly completion: number; readonly total: number } | null;
  readonly content: Uint8Array;
}

/** Empty when the folder is missing; the reason is printed once. */
export const RECORDED_STREAMS: readonly RecordedStream[] = load();

export function sha256(bytes: Uint8Array): string {
  return new Bun.CryptoHasher('sha256').update(bytes).digest('hex');
}

function load(): RecordedStream[] {
  const index = join(STREAMS_FOLDER, 'index.json');
  if (!existsSync(index)) {
    console.warn('skipped: the recorded provider streams (../shared/streams) are not here');
    return [];
  }
  const entries = JSON.parse(readFileSync(index, 'utf8')) as Omit<RecordedStream, 'content'>[];
  return entries.map((entry) => ({
    ...entry,
    content: new Uint8Array(readFileSync(join(STREAMS_FOLDER, entry.file))),
  }));
}
