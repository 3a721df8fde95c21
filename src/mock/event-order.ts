/** The order of a stream's events, with the order faults of the scenario. */
import { type Content, type EventList, isEventList, type Piece } from './content.ts';
import type { Scenario } from './scenario.ts';
import { ScenarioError } from './scenario-parser.ts';

/** The events in the order of the scenario. */
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

/** @throws ScenarioError when an order fault cannot happen: the test would silently become one of the happy path */
export function checkOrder(content: Content, scenario: Scenario): void {
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

function bytesOf(event: string | Uint8Array): Uint8Array {
  return typeof event === 'string' ? Buffer.from(event) : event;
}
