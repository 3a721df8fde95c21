/** W3C Trace Context, level 2: the header `traceparent`. */

export interface TraceParent {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero. */
  readonly spanId: string;
  readonly isSampled: boolean;
  /** The trace id's last seven bytes are random. */
  readonly isRandom: boolean;
}

const TRACEPARENT = /^\s*([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\s*$/;
const SAMPLED = 1;
const RANDOM = 2;

/**
 * What a header says; null when there is none, or one that the specification says to ignore. Of a version that is not known the
 * part is read that every version begins with.
 */
export function parseTraceparent(header: string | null): TraceParent | null {
  const match = header === null ? null : TRACEPARENT.exec(header);
  if (match === null) return null;
  const [, version, traceId, spanId, flagDigits, rest] = match;
  if (version === 'ff' || (version === '00' && rest !== undefined)) return null;
  if (/^0+$/.test(traceId!) || /^0+$/.test(spanId!)) return null;
  const flags = Number.parseInt(flagDigits!, 16);
  return { traceId: traceId!, spanId: spanId!, isSampled: (flags & SAMPLED) !== 0, isRandom: (flags & RANDOM) !== 0 };
}

export function traceparentOf(traceId: string, spanId: string, isSampled: boolean, isRandom: boolean): string {
  return `00-${traceId}-${spanId}-0${(isSampled ? SAMPLED : 0) | (isRandom ? RANDOM : 0)}`;
}
