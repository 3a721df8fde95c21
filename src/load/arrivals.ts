/**
 * When streams are due. Pure arithmetic: an arrival depends on its number and the plan alone, never on an answer. That
 * rules out coordinated omission in an open loop.
 */

interface OpenArrivals {
  readonly kind: 'open';
  readonly ratePerS: number;
  /** How long the rate grows linearly from 0; 0 for no ramp. */
  readonly rampS: number;
}

interface ClosedArrivals {
  readonly kind: 'closed';
  /** Streams at once: each slot starts its next stream when its last one has ended. */
  readonly streams: number;
  /** The slots start evenly over this time. */
  readonly rampS: number;
}

export type Arrivals = OpenArrivals | ClosedArrivals;

/** Microseconds from the start to the arrival with this number, from 0. In a closed loop: to the start of that slot. */
export function dueUs(arrivals: Arrivals, number: number): number {
  const { rampS } = arrivals;
  if (arrivals.kind === 'closed') {
    return number < arrivals.streams ? (number * rampS * 1e6) / arrivals.streams : Number.POSITIVE_INFINITY;
  }
  const { ratePerS } = arrivals;
  // While the rate grows, the number of arrivals is the area of a triangle: ratePerS / rampS * t² / 2.
  const inRamp = (ratePerS * rampS) / 2;
  const atS = number < inRamp ? Math.sqrt((2 * number * rampS) / ratePerS) : rampS + (number - inRamp) / ratePerS;
  return atS * 1e6;
}
