/**
 * One answer as a sequence of steps: writes, waits and iterations of the event loop. Pure: without socket and timer, so that
 * the order on the wire can be read here from top to bottom.
 */
import type { Answer } from './answer.ts';
import { Batch, type Write } from './batch.ts';
import { isEventList } from './content.ts';
import { checkOrder } from './event-order.ts';
import { GARBAGE, type Header, interimHead, WireFormat } from './framing.ts';
import { bodyOf, firstBytes, isCut } from './pieces.ts';
import type { Scenario } from './scenario.ts';

/** Yields to the event loop, so that what was written can be read on its own. */
export const YIELD = Symbol('yield');

/** A write, a wait in milliseconds, or YIELD. */
export type Step = Write | number | typeof YIELD;

/** What happens to the connection. */
export type Ending = 'keep' | 'close' | 'close_idle' | 'end_early' | 'reset' | 'reset_next' | 'silence';

interface Plan {
  readonly answer: Answer;
  readonly scenario: Scenario;
  /** Whether the client wants to use the connection again. */
  readonly keepAlive: boolean;
  /** The method is HEAD. */
  readonly headOnly: boolean;
}

/** Without pace or split, pieces are written together: with a system call per event one would measure the mock. */
const BATCH_BYTES = 65_536;

/** @throws ScenarioError before the first step when the scenario does not fit the answer */
export function stepsOf(plan: Plan): Generator<Step, Ending> {
  checkOrder(plan.answer.content, plan.scenario);
  return steps(plan);
}

function* steps({ answer, scenario, keepAlive, headOnly }: Plan): Generator<Step, Ending> {
  const fault = scenario.fault?.kind;
  if (fault === 'refuse') return 'reset';
  if (fault === 'hang') return 'silence';
  const batch = new Batch();
  if (scenario.framing === 'garbage') {
    batch.framing(GARBAGE);
    yield batch.take();
    return 'close';
  }
  for (let n = 0; n < (scenario.interim ?? 0); n++) {
    batch.framing(interimHead(n));
    yield batch.take();
    yield YIELD;
  }
  if (scenario.head_delay_ms) yield scenario.head_delay_ms;
  const recorded = answer.pace;
  const speed = scenario.speed ?? 1;
  if (recorded && recorded.headMs > 0) yield recorded.headMs / speed;

  const wire = new WireFormat(scenario.framing ?? (isEventList(answer.content) ? 'chunked' : 'length'));
  const keeps = keepAlive && !wire.closes;
  const noContent = answer.status === 204 || answer.status === 304;
  const body = bodyOf(noContent ? NOTHING : answer.content, scenario, wire.sized);
  const totalBytes = noContent ? undefined : (body.totalBytes ?? 0);
  batch.framing(wire.head(answer.status, headersOf(answer, scenario), totalBytes, keeps));
  const ending = keeps ? 'keep' : 'close';
  if (noContent || headOnly) {
    yield batch.take();
    return ending;
  }

  const separate = isCut(scenario);
  const paceMs = scenario.pace === 'none' ? 0 : (scenario.pace_ms ?? 0);
  const breaksOff = fault === 'reset' || fault === 'end_early' || fault === 'silence';
  if (scenario.first_delay_ms || separate) {
    yield batch.take();
    yield scenario.first_delay_ms || YIELD;
  }
  let sent = 0;
  let atMs = recorded?.headMs ?? 0;
  for (const make of breaksOff ? firstBytes(body.pieces, scenario.fault?.after_bytes ?? 0) : body.pieces) {
    if (recorded) {
      // After the last recorded time (an event was duplicated) there is no further wait.
      const dueMs = recorded.eventsMs[sent] ?? atMs;
      if (dueMs > atMs) {
        if (batch.bytes > 0) yield batch.take();
        yield (dueMs - atMs) / speed;
      }
      atMs = dueMs;
    } else if (sent > 0 && (paceMs > 0 || separate)) {
      yield batch.take();
      yield paceMs || YIELD;
    }
    sent++;
    batch.piece(make(), wire);
    if (batch.bytes >= BATCH_BYTES) yield batch.take();
  }
  if (breaksOff) {
    yield batch.take();
    return fault;
  }
  if (separate) {
    yield batch.take();
    yield YIELD;
  }
  batch.framing(wire.end);
  yield batch.take();
  return fault === 'close_idle' || fault === 'reset_next' ? fault : ending;
}

const NOTHING = new Uint8Array(0);

function headersOf(answer: Answer, scenario: Scenario): Header[] {
  const given = [...(answer.headers ?? []), ...(scenario.headers ?? [])];
  const names = new Set(given.map(([name]) => name.toLowerCase()));
  const contentType = scenario.content_type ?? answer.contentType;
  const headers: Header[] = [];
  if (contentType !== '' && !names.has('content-type')) headers.push(['content-type', contentType]);
  if (contentType.startsWith('text/event-stream') && !names.has('cache-control'))
    headers.push(['cache-control', 'no-cache']);
  if (scenario.gzip) headers.push(['content-encoding', 'gzip']);
  return [...headers, ...given];
}
