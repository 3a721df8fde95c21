/** The parts of a request's time, from the moments that its record has. A request that ended early has fewer. */
import type { RequestRecord } from '../../api/api-types.ts';

export interface Phase {
  readonly name: 'prepare' | 'wait' | 'start' | 'answer' | 'ended';
  readonly title: string;
  readonly meaning: string;
  readonly fromMs: number;
  readonly toMs: number;
}

type Moments = Pick<RequestRecord, 'sentMs' | 'headMs' | 'ttfbMs' | 'durationMs'>;

export function phasesOf({ sentMs, headMs, ttfbMs, durationMs }: Moments): Phase[] {
  const phases: Phase[] = [];
  let fromMs = 0;
  const add = (toMs: number | null | undefined, name: Phase['name'], title: string, meaning: string) => {
    if (toMs === null || toMs === undefined) return;
    // Clocks are read in different components: a part is never shorter than nothing, nor longer than the whole.
    const end = Math.min(Math.max(toMs, fromMs), durationMs);
    phases.push({ name, title, meaning, fromMs, toMs: end });
    fromMs = end;
  };
  add(sentMs, 'prepare', 'Received → sent', 'The gateway checked key and limits, read the body and passed it on.');
  add(headMs, 'wait', 'Sent → head', 'Upstream had the request and had not answered yet.');
  add(ttfbMs, 'start', 'Head → first byte', 'Upstream had begun its answer; nothing of the body had come.');
  if (ttfbMs !== null && ttfbMs !== undefined) {
    add(durationMs, 'answer', 'First byte → last byte', 'The answer came and was passed on as it came.');
  } else {
    add(durationMs, 'ended', 'Until the end', 'No byte of an answer of upstream came.');
  }
  return phases;
}
