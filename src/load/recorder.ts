/**
 * Writes bytes and timing of the first complete streams to a folder for `bve mock --replay`.
 * Guarantees: nothing of a request is written, and no answer that repeats the key or a prompt.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RecordedRead, type Timing, timingFileOf, timingText } from '../mock/timing.ts';
import type { RequestSource } from './request-source.ts';
import type { LoadStream } from './stream.ts';
import { STREAM_BYTES_MAX, StreamRecording } from './stream-recording.ts';
import type { LoadTarget } from './target.ts';

export class Recorder {
  /** Names of the files written. */
  readonly written: string[] = [];
  /** Why streams were not recorded. */
  readonly notes = new Set<string>();
  #underWay = 0;

  /** @throws what mkdir throws, when the folder cannot be made */
  constructor(
    readonly folder: string,
    readonly streamsMax: number,
  ) {
    mkdirSync(folder, { recursive: true });
  }

  /** A recording for the next stream; undefined when there are enough. */
  begin(): StreamRecording | undefined {
    if (this.written.length + this.#underWay >= this.streamsMax) return undefined;
    this.#underWay++;
    return new StreamRecording();
  }

  /** The stream has ended: it is written if it is complete. */
  end(stream: LoadStream, requests: RequestSource, target: LoadTarget): void {
    const recording = stream.options.recording;
    if (!recording) return;
    this.#underWay--;
    if (stream.ending !== 'complete') return;
    if (recording.tooLarge) {
      this.notes.add(`a stream of more than ${STREAM_BYTES_MAX / 1_048_576} MiB was not recorded`);
      return;
    }
    const bytes = Buffer.concat(recording.reads.map((read) => read.bytes));
    if (requests.isRepeatedBy(bytes)) {
      this.notes.add('a stream that repeats the key or a prompt was not recorded');
      return;
    }
    this.#write(bytes, timingOf(stream, recording, target));
  }

  #write(bytes: Buffer, timing: Timing): void {
    const name = `stream-${String(this.written.length + 1).padStart(3, '0')}.sse`;
    try {
      writeFileSync(join(this.folder, name), bytes);
      writeFileSync(join(this.folder, timingFileOf(name)), timingText(timing));
      this.written.push(name);
    } catch (error) {
      this.notes.add(`cannot write ${name}: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
    }
  }
}

function timingOf(stream: LoadStream, { reads }: StreamRecording, target: LoadTarget): Timing {
  const sinceSentMs = (atUs: number): number => Math.round(atUs - stream.sentUs) / 1000;
  return {
    api: target.api,
    head_ms: sinceSentMs(stream.headUs),
    reads: reads.map(({ atUs, bytes }): RecordedRead => [sinceSentMs(atUs), bytes.length]),
  };
}
