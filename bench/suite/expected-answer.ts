/**
 * The expected answer, event by event, as read directly from upstream. The mock writes the time into each event (`"t":…`), so
 * an expected event is what precedes these digits and what follows them; all other bytes must be equal.
 */
import { createHash } from 'node:crypto';
import { splitEvents } from '../../src/mock/split-events.ts';

interface ExpectedEvent {
  /** The whole event, if it has no time. */
  readonly before: Buffer;
  readonly after: Buffer | null;
  readonly timeDigits: number;
  /** The event's number; -1 when it has none. */
  readonly number: number;
}

export interface ExpectedAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly events: readonly ExpectedEvent[];
  /** Number of events with a number; the numbers start at 0. */
  readonly numbered: number;
  /** The answer ends with `data: [DONE]`. */
  readonly done: boolean;
  /** SHA-256 of the body without the digits of its times. */
  readonly hash: string;
}

const TIME = Buffer.from('"t":');
const NUMBER = Buffer.from('"i":');
export const DONE = Buffer.from('data: [DONE]\n\n');

export function expectedAnswer(status: number, contentType: string, body: Buffer): ExpectedAnswer {
  const events = splitEvents(body).map(expectedEvent);
  const hash = createHash('sha256');
  for (const { before, after } of events) {
    hash.update(before);
    if (after) hash.update(after);
  }
  return {
    status,
    contentType,
    events,
    numbered: events.filter(({ number }) => number >= 0).length,
    done: body.subarray(-DONE.length).equals(DONE),
    hash: hash.digest('hex'),
  };
}

/** Whether they are equal except for the digits of the time. */
export function matches(event: Buffer, expected: ExpectedEvent): boolean {
  const { before, after, timeDigits } = expected;
  if (after === null) return event.equals(before);
  // compare() throws beyond the end.
  if (event.length < before.length + after.length) return false;
  if (event.compare(before, 0, before.length, 0, before.length) !== 0) return false;
  const afterAt = endOfDigits(event, before.length);
  // The clock has gained a digit since, and padded events have one x less: once in hours of uptime.
  if (afterAt - before.length !== timeDigits) return afterAt > before.length;
  return event.length - afterAt === after.length && event.compare(after, 0, after.length, afterAt) === 0;
}

/** -1 when there is none. */
export function numberIn(event: Buffer): number {
  return integerAfter(NUMBER, event);
}

/** When upstream created the event, in monotonic nanoseconds; -1 when it has no time. */
export function timeIn(event: Buffer): number {
  return integerAfter(TIME, event);
}

function expectedEvent(event: Buffer): ExpectedEvent {
  const number = numberIn(event);
  const key = event.indexOf(TIME);
  if (number < 0 || key < 0) return { before: event, after: null, timeDigits: 0, number };
  const start = key + TIME.length;
  const end = endOfDigits(event, start);
  return { before: event.subarray(0, start), after: event.subarray(end), timeDigits: end - start, number };
}

function integerAfter(key: Buffer, event: Buffer): number {
  const at = event.indexOf(key);
  if (at < 0) return -1;
  let value = 0;
  const start = at + key.length;
  const end = endOfDigits(event, start);
  for (let i = start; i < end; i++) value = value * 10 + event[i]! - ZERO;
  return end > start ? value : -1;
}

function endOfDigits(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at]! >= ZERO && bytes[at]! <= NINE) at++;
  return at;
}

const ZERO = 0x30;
const NINE = 0x39;
