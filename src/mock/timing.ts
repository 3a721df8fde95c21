/**
 * The timing of a recorded stream, in a file next to its bytes: `NAME.sse`, `NAME.timing.json`. `bve bench --record` writes
 * it, the replay folder reads it.
 */
import { ScenarioError } from './scenario-parser.ts';

/** Milliseconds from the request to a read, and the number of body bytes in it. */
export type RecordedRead = readonly [atMs: number, bytes: number];

export interface Timing {
  /** Which API answered. */
  readonly api: 'chat' | 'responses' | 'messages';
  /** Milliseconds from the request to the head. */
  readonly head_ms: number;
  readonly reads: readonly RecordedRead[];
}

/** The pace of a recording, event by event. */
export interface RecordedPace {
  readonly headMs: number;
  /** For each event of the recording, milliseconds from the request; they never decrease. */
  readonly eventsMs: Float64Array;
}

export function timingFileOf(sseFile: string): string {
  return `${sseFile.replace(/\.sse$/, '')}.timing.json`;
}

export function timingText(timing: Timing): string {
  const { reads, ...rest } = timing;
  // One read per line, for readers and diffs.
  const lines = reads.map((read) => `    ${JSON.stringify(read)}`).join(',\n');
  return `${JSON.stringify(rest, null, 2).slice(0, -2)},\n  "reads": [\n${lines}\n  ]\n}\n`;
}

/** @throws ScenarioError naming the file and what is wrong with it */
export function parseTiming(text: string, file: string): Timing {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ScenarioError(`${file} is not JSON: ${(error as Error).message}`);
  }
  const { api, head_ms, reads } = (value ?? {}) as Partial<Record<keyof Timing, unknown>>;
  if (api !== 'chat' && api !== 'responses' && api !== 'messages') throw new ScenarioError(`${file}: api is wrong`);
  if (!isTime(head_ms)) throw new ScenarioError(`${file}: head_ms is not a time`);
  if (!Array.isArray(reads) || !reads.every(isRead)) {
    throw new ScenarioError(`${file}: reads takes a list of [milliseconds, bytes] pairs`);
  }
  return { api, head_ms, reads };
}

/** An event is due when the read that completed it came. @throws ScenarioError when bytes and timing do not match */
export function paceOf(timing: Timing, events: readonly Uint8Array[], file: string): RecordedPace {
  const recordedBytes = timing.reads.reduce((sum, [, bytes]) => sum + bytes, 0);
  const totalBytes = events.reduce((sum, event) => sum + event.byteLength, 0);
  if (recordedBytes !== totalBytes) {
    throw new ScenarioError(`${file} has the times of ${recordedBytes} bytes, but the recording has ${totalBytes}`);
  }
  const eventsMs = new Float64Array(events.length);
  let read = 0;
  let arrivedBytes = 0;
  let neededBytes = 0;
  let atMs = timing.head_ms;
  for (let i = 0; i < events.length; i++) {
    neededBytes += events[i]!.byteLength;
    while (arrivedBytes < neededBytes) {
      const [readMs, bytes] = timing.reads[read++]!;
      arrivedBytes += bytes;
      atMs = Math.max(atMs, readMs);
    }
    eventsMs[i] = atMs;
  }
  return { headMs: timing.head_ms, eventsMs };
}

const HOUR_MS = 3_600_000;

function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= HOUR_MS;
}

function isRead(value: unknown): value is RecordedRead {
  return Array.isArray(value) && value.length === 2 && isTime(value[0]) && Number.isInteger(value[1]) && value[1] > 0;
}
