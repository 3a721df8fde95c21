/** Which requests are traced: the samplers of OpenTelemetry's specification. */
import type { TraceSampler } from '../../config/otel-options.ts';
import type { TraceParent } from './trace-context.ts';

/** Decides when a request arrives, by the caller's decision, or by the id of its trace. */
export type Sampler = (traceId: string, parent: TraceParent | null) => boolean;

/** Of the trace id, its last seven bytes: those are random (W3C Trace Context, level 2). */
const RANDOM_DIGITS = 14;
const RANDOM_VALUES = 2 ** 56;

/** @param ratio from 0 to 1, for those that take a share */
export function createSampler(name: TraceSampler, ratio: number): Sampler {
  const root = rootSampler(name, ratio);
  if (!name.startsWith('parentbased_')) return root;
  return (traceId, parent) => (parent === null ? root(traceId, null) : parent.isSampled);
}

function rootSampler(name: TraceSampler, ratio: number): Sampler {
  if (name.endsWith('always_on')) return () => true;
  if (name.endsWith('always_off')) return () => false;
  // Every service that takes the same share or a larger one keeps the trace, so that none is kept in part.
  const threshold = (1 - ratio) * RANDOM_VALUES;
  return (traceId) => Number.parseInt(traceId.slice(-RANDOM_DIGITS), 16) >= threshold;
}
