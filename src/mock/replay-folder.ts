/** Recorded answers from one folder, each file read once. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EventList, splitEvents } from './event-list.ts';
import { ScenarioError } from './scenario-parser.ts';

export interface Replay {
  readonly contentType: string;
  readonly content: Uint8Array | EventList;
}

export class ReplayFolder {
  readonly #replays = new Map<string, Replay>();

  constructor(readonly path: string | undefined) {}

  /** @param name a plain file name, as the scenario parser lets through. @throws ScenarioError when there is no such file */
  load(name: string): Replay {
    const known = this.#replays.get(name);
    if (known) return known;
    if (this.path === undefined) throw new ScenarioError(`replay '${name}': this mock has no replay folder`);
    const replay = toReplay(name, read(join(this.path, name), name));
    this.#replays.set(name, replay);
    return replay;
  }
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  sse: 'text/event-stream',
  json: 'application/json',
  txt: 'text/plain; charset=utf-8',
  mp3: 'audio/mpeg',
  png: 'image/png',
};

function toReplay(name: string, bytes: Uint8Array): Replay {
  const extension = name.slice(name.lastIndexOf('.') + 1);
  const contentType = CONTENT_TYPES[extension] ?? 'application/octet-stream';
  if (extension !== 'sse') return { contentType, content: bytes };
  const events = splitEvents(bytes);
  return { contentType, content: { prelude: [], count: events.length, token: (i) => events[i]!, epilogue: [] } };
}

function read(path: string, name: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ScenarioError(`replay '${name}': ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
  }
}
