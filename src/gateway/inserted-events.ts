/** What the gateway itself writes into an event stream: the error event of one that broke, and heartbeats. */
import type { BodyFilter } from './body-filter.ts';
import type { Meter } from './meter.ts';

const LINE_FEED = Uint8Array.of(0x0a);

/** @param filteredEndsWithCr the last byte that the filter let pass is a CR */
export function breakEventOf(meter: Meter, filter: BodyFilter | null, filteredEndsWithCr: boolean): Uint8Array {
  const event = meter.format.breakEvent(meter.nextSequenceNumber);
  const endsWithCr = filter === null ? meter.endsWithCr : filteredEndsWithCr;
  // A reader that splits at LF would take the event for the rest of a line.
  return endsWithCr ? Buffer.concat([LINE_FEED, event]) : event;
}

/**
 * A heartbeat, if one may be written now: only between two events, and only while there may be another.
 * @param filteredEndsWithCr as above: what follows a CR may be the LF of the same line end
 */
export function heartbeatOf(meter: Meter, filter: BodyFilter | null, filteredEndsWithCr: boolean): Uint8Array | null {
  const endsWithCr = filter === null ? meter.endsWithCr : filteredEndsWithCr;
  if (!meter.isEventStream || meter.sawTerminalEvent || endsWithCr) return null;
  const isBetweenEvents = meter.atEventBoundary && (filter === null || filter.atEventBoundary === true);
  return isBetweenEvents ? meter.format.heartbeat : null;
}
