/**
 * A stream of server-sent events as the mock sees it: made one at a time, so that a stream of millions costs no memory,
 * and addressable by position, so that order faults can be told which event they mean.
 */

import type { Scenario } from './scenario.ts';
import { ScenarioError } from './scenario-parser.ts';

export interface EventList {
  /** Events in front of and behind the token events; order faults leave them alone. */
  readonly prelude: readonly string[];
  readonly epilogue: readonly string[];
  readonly count: number;
  /** The token event at a position from 0, blank line included. */
  token(position: number): string | Uint8Array;
}

export function isEventList(content: Uint8Array | EventList): content is EventList {
  return !(content instanceof Uint8Array);
}

/** A piece of a body, made when it is called: an event's time is then the time it is sent, not when it was foreseen. */
export type Piece = () => Uint8Array;

/** The events in the order the scenario asks for. */
export function* eventsInOrder(list: EventList, scenario: Scenario): Generator<Piece> {
  for (const event of list.prelude) yield () => Buffer.from(event);
  const [first, second] = scenario.reorder ?? [0, 0];
  for (let slot = 0; slot < list.count; slot++) {
    const position = slot === first ? second : slot === second ? first : slot;
    if (position !== scenario.drop) {
      yield () => bytesOf(list.token(position));
      if (position === scenario.duplicate) yield () => bytesOf(list.token(position));
    }
    if (position === scenario.truncate_after_event) return;
  }
  for (const event of list.epilogue) yield () => Buffer.from(event);
}

/** @throws ScenarioError when an order fault cannot happen: it would turn the test into one of the happy path */
export function checkOrder(content: Uint8Array | EventList, scenario: Scenario): void {
  const faults = {
    'reorder[0]': scenario.reorder?.[0],
    'reorder[1]': scenario.reorder?.[1],
    drop: scenario.drop,
    duplicate: scenario.duplicate,
    truncate_after_event: scenario.truncate_after_event,
  };
  for (const [field, position] of Object.entries(faults)) {
    if (position === undefined) continue;
    if (!isEventList(content)) throw new ScenarioError(`${field} needs an answer made of events`);
    if (position >= content.count) {
      throw new ScenarioError(`${field} is ${position}, but the answer has ${content.count} events (counted from 0)`);
    }
  }
}

/** Cuts SSE bytes behind every blank line (LF, CRLF or CR); what follows the last one is an event too. */
export function splitEvents(bytes: Uint8Array): Uint8Array[] {
  const events: Uint8Array[] = [];
  let start = 0;
  let lineStart = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte !== LF && byte !== CR) continue;
    const blank = i === lineStart && i > start;
    if (byte === CR && bytes[i + 1] === LF) i++;
    lineStart = i + 1;
    if (!blank) continue;
    events.push(bytes.subarray(start, i + 1));
    start = i + 1;
  }
  if (start < bytes.length) events.push(bytes.subarray(start));
  return events;
}

const LF = 10;
const CR = 13;

function bytesOf(event: string | Uint8Array): Uint8Array {
  return typeof event === 'string' ? Buffer.from(event) : event;
}
