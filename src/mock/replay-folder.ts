/** Recorded answers of one folder, each file read once, with their pace if there is a timing file. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventList } from './content.ts';
import { ScenarioError } from './scenario-parser.ts';
import { splitEvents } from './split-events.ts';
import { paceOf, parseTiming, type RecordedPace, type Timing, timingFileOf } from './timing.ts';

export interface Replay {
  readonly contentType: string;
  readonly content: Uint8Array | EventList;
  /** When its events were sent, if that was recorded. */
  readonly pace?: RecordedPace;
  /** The API it answers, if that was recorded. */
  readonly api?: Timing['api'];
}

export class ReplayFolder {
  readonly #replays = new Map<string, Replay>();

  constructor(readonly path: string | undefined) {}

  /** @param name a plain file name, as the scenario parser allows. @throws ScenarioError when there is no such file */
  load(name: string): Replay {
    const known = this.#replays.get(name);
    if (known) return known;
    if (this.path === undefined) throw new ScenarioError(`replay '${name}': this mock has no replay folder`);
    const replay = toReplay(name, read(join(this.path, name), name), this.#timing(name));
    this.#replays.set(name, replay);
    return replay;
  }

  /** Names of all recorded streams, in order. @throws ScenarioError when the folder cannot be read */
  streams(): string[] {
    if (this.path === undefined) return [];
    try {
      return readdirSync(this.path)
        .filter((name) => name.endsWith('.sse'))
        .sort();
    } catch (error) {
      throw new ScenarioError(`replay folder: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
    }
  }

  #timing(name: string): Timing | undefined {
    const file = timingFileOf(name);
    const path = join(this.path!, file);
    if (!name.endsWith('.sse') || !existsSync(path)) return undefined;
    return parseTiming(read(path, file).toString(), file);
  }
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  sse: 'text/event-stream',
  json: 'application/json',
  txt: 'text/plain; charset=utf-8',
  mp3: 'audio/mpeg',
  png: 'image/png',
};

function toReplay(name: string, bytes: Uint8Array, timing: Timing | undefined): Replay {
  const extension = name.slice(name.lastIndexOf('.') + 1);
  const contentType = CONTENT_TYPES[extension] ?? 'application/octet-stream';
  if (extension !== 'sse') return { contentType, content: bytes };
  const events = splitEvents(bytes);
  const content = { prelude: [], count: events.length, token: (i: number) => events[i]!, epilogue: [] };
  if (!timing) return { contentType, content };
  return { contentType, content, pace: paceOf(timing, events, timingFileOf(name)), api: timing.api };
}

function read(path: string, name: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ScenarioError(`replay '${name}': ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
  }
}
