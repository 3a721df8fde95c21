/**
 * What goes wrong upstream, or is only unusual: every fault and framing of the mock (src/mock/scenario.ts), and for each what
 * the contract lets the client see and what then stands on record.
 */
import type { Scenario } from '../../src/mock/scenario.ts';
import type { Explanation } from './explanation.ts';
import type { AnswerForm, RequestKind } from './request-kinds.ts';

/** An answer as it would be without the fault. */
export interface Sound {
  readonly kind: RequestKind;
  readonly scenario: Scenario;
  readonly reference: Buffer;
  /** Where its events end, offsets into the body, ascending; none unless it is a stream. */
  readonly eventEnds: readonly number[];
}

export interface Faulty {
  readonly change: Partial<Scenario>;
  readonly explanations: readonly Explanation[];
  /** It is the whole scenario, not a change of the sound one. */
  readonly replacesBody?: boolean;
  /** Framing ends the body early, and no client can know. */
  readonly mayBeShort?: boolean;
}

export interface SoakFault {
  readonly name: string;
  readonly weight: number;
  /** What is only unusual must not be noticed by anybody. */
  readonly harmless?: boolean;
  /** The next request on the same connection to upstream may fail for it. */
  readonly hitsAnother?: boolean;
  fits(sound: Sound): boolean;
  apply(sound: Sound, random: () => number): Faulty;
}

const BROKEN = 'upstream_stream_interrupted';

export const FINE: Explanation = { saw: 'complete', status: 200, record: { finish: 'complete', errorCode: null } };
const BAD_GATEWAY: Explanation = refused(502, 'upstream_error');
const TIMEOUT: Explanation = refused(504, 'upstream_timeout');

const isStream = ({ kind }: Sound) => kind.form === 'sse';
const isForm =
  (...forms: readonly AnswerForm[]) =>
  ({ kind }: Sound) =>
    kind.method !== 'HEAD' && forms.includes(kind.form);
const anything = ({ kind }: Sound) => kind.method !== 'HEAD';

export const FAULTS: readonly SoakFault[] = [
  unusual('late head', 4, anything, (random) => ({ head_delay_ms: 50 + Math.round(random() * 1_200) })),
  unusual('late first byte', 2, anything, (random) => ({ first_delay_ms: 50 + Math.round(random() * 1_200) })),
  unusual('interim heads', 1, anything, () => ({ interim: 2 })),
  unusual('split body', 2, isForm('sse', 'json'), (random) => ({ split: 3 + Math.floor(random() * 200), pace_ms: 1 })),
  unusual('split wire', 1, isForm('json'), (random) => ({ wire_split: 1 + Math.floor(random() * 60) })),
  unusual('byte by byte', 0.5, isForm('json'), () => ({ pace: 'byte', pace_ms: 0 })),
  unusual('gzip', 1, isForm('sse', 'json'), () => ({ gzip: true })),
  ...(['close', 'trailers', 'chunk_extensions', 'http10'] as const).map((framing) =>
    unusual(`framing ${framing}`, 0.8, isForm('sse', 'json'), () => ({ framing })),
  ),
  unusual('closes when idle', 1.5, anything, () => ({ fault: { kind: 'close_idle' } })),
  { ...unusual('resets the next', 0.4, anything, () => ({ fault: { kind: 'reset_next' } })), hitsAnother: true },
  unusual('events reordered', 1, hasTokens, () => ({ reorder: [3, 7] })),
  unusual('event dropped', 1, hasTokens, () => ({ drop: 4 })),
  unusual('event doubled', 1, hasTokens, () => ({ duplicate: 5 })),

  answeredWith('reset instead of an answer', 2, { fault: { kind: 'refuse' } }, [BAD_GATEWAY]),
  answeredWith('no answer', 0.5, { fault: { kind: 'hang' } }, [TIMEOUT]),
  answeredWith('not HTTP', 1, { framing: 'garbage' }, [BAD_GATEWAY]),
  answeredWith('two lengths', 0.7, { framing: 'both' }, [BAD_GATEWAY]),
  answeredWith('bare line feeds', 0.7, { framing: 'lf_only' }, [BAD_GATEWAY]),
  ...[400, 401, 402, 403, 404, 422, 429, 500, 502, 503, 504, 529].map(status),
  ...(['reset', 'end_early', 'silence'] as const).flatMap(breaks),
  ...(['length_short', 'bad_chunk_size', 'short_chunk', 'length_long'] as const).map(brokenEnd),
  {
    name: 'no terminal event',
    weight: 1,
    fits: hasTokens,
    apply: () => ({
      change: { truncate_after_event: 6 },
      explanations: [{ ...FINE, record: { finish: 'upstream_interrupted', errorCode: BROKEN } }],
    }),
  },
  {
    name: 'error in the stream',
    weight: 1.5,
    fits: isStream,
    apply: ({ kind }) => ({
      change: errorInStream(kind.path),
      explanations: [{ ...FINE, record: { finish: 'error', errorCode: 'soak_error' } }],
      replacesBody: true,
    }),
  },
];

function hasTokens({ kind, scenario }: Sound): boolean {
  // Numbered events are there to be in order.
  return kind.form === 'sse' && scenario.text !== undefined;
}

function refused(status: number, code: string): Explanation {
  return { saw: 'complete', status, code, record: { finish: 'error', errorCode: code } };
}

function unusual(
  name: string,
  weight: number,
  fits: SoakFault['fits'],
  change: (random: () => number) => Partial<Scenario>,
): SoakFault {
  return {
    name,
    weight,
    harmless: true,
    fits,
    apply: (_, random) => ({ change: change(random), explanations: [FINE] }),
  };
}

function answeredWith(
  name: string,
  weight: number,
  change: Partial<Scenario>,
  explanations: readonly Explanation[],
): SoakFault {
  return { name, weight, fits: ({ kind }) => kind.method !== 'HEAD', apply: () => ({ change, explanations }) };
}

/** 5xx and 401 of upstream are told in an error of the gateway's own, unless the client asked for a stream. */
function status(code: number): SoakFault {
  return {
    name: `status ${code}`,
    weight: code === 429 || code === 503 ? 0.6 : 0.3,
    fits: anything,
    apply: ({ kind }, random) => {
      const isTold = kind.form !== 'sse' && (code === 401 || code >= 500);
      const passed: Explanation = {
        saw: 'complete',
        status: code,
        record: { finish: 'error', errorCode: `upstream_${code}` },
      };
      const headers: [string, string][] = code === 429 && random() < 0.5 ? [['retry-after', '1']] : [];
      const error = { message: 'The soak asked for it', type: 'soak', code: 'soak_error' };
      return {
        change: { status: code, headers, json: { error } },
        explanations: [isTold ? BAD_GATEWAY : passed],
        replacesBody: true,
      };
    },
  };
}

/** Upstream breaks off: behind the head, behind a whole event, inside an event or a body. */
function breaks(kind: 'reset' | 'end_early' | 'silence'): SoakFault[] {
  const weight = kind === 'silence' ? 0.4 : 1.2;
  // A silence is ended by the gateway's own idle timeout.
  const code = kind === 'silence' ? 'upstream_timeout' : BROKEN;
  const interrupted: Explanation = {
    saw: 'interrupted',
    status: 200,
    record: { finish: 'upstream_interrupted', errorCode: code },
  };
  const cut: Explanation = { saw: 'reset', status: 200, record: { finish: 'upstream_interrupted', errorCode: code } };
  // Bun.serve sends a head with the first byte of the body: without one there is only a reset (oven-sh/bun#33660).
  const headless: Explanation = { ...cut, saw: 'unanswered', status: 0 };
  // Before the server has asked for the body the client can still be told in a proper answer.
  const told = kind === 'silence' ? TIMEOUT : BAD_GATEWAY;
  const at = (where: string, fits: SoakFault['fits'], apply: SoakFault['apply']): SoakFault => ({
    name: `${kind.replace('_', ' ')} ${where}`,
    weight,
    fits,
    apply,
  });
  const fault = (after_bytes: number): Partial<Scenario> => ({ fault: { kind, after_bytes } });
  return [
    at('behind the head', isForm('sse', 'json'), ({ kind: { form } }) => ({
      change: fault(0),
      explanations: form === 'sse' ? [interrupted, told] : [cut, headless, told],
    })),
    at('behind an event', isStream, ({ eventEnds }, random) => ({
      change: fault(eventEnds[Math.floor(random() * (eventEnds.length - 4))]!),
      // With a reset the kernel may drop what has not been read yet.
      explanations: kind === 'reset' ? [interrupted, cut, told] : [interrupted, told],
    })),
    at('inside an event', isStream, ({ eventEnds, kind: of }, random) => ({
      change: fault(eventEnds[Math.floor(random() * (eventEnds.length - 4))]! + 12),
      // The kernel may drop what is before a reset. And where the gateway takes usage out, it has not passed on half an event.
      explanations: kind === 'reset' || of.usageIsInjected ? [interrupted, cut, told] : [cut, told],
    })),
    at('inside the body', isForm('json', 'download'), ({ reference, kind: of }, random) => ({
      change: fault(1 + Math.floor(random() * (reference.length - 2))),
      // What is rewritten is passed on as a whole.
      explanations: of.check === 'legacy' ? [cut, headless, told] : [cut, told],
    })),
  ];
}

/** The framing breaks at the very end. A stream has had its terminal event by then and is complete. */
function brokenEnd(framing: 'length_short' | 'bad_chunk_size' | 'short_chunk' | 'length_long'): SoakFault {
  const cut: Explanation = { saw: 'reset', status: 200, record: { finish: 'upstream_interrupted', errorCode: BROKEN } };
  return {
    name: `framing ${framing}`,
    weight: 0.7,
    fits: isForm('sse', 'json'),
    apply: ({ kind: { form, check } }) => {
      const change = { framing };
      const headless: Explanation = { ...cut, saw: 'unanswered', status: 0 };
      // Its length takes the end of the body for surplus: whole by the length, broken by what follows.
      if (framing === 'length_long') {
        const interrupted: Explanation = { ...cut, saw: 'interrupted' };
        const unfinished: Explanation = { ...FINE, record: { finish: 'upstream_interrupted' } };
        return { change, explanations: [FINE, unfinished, interrupted, cut, headless, BAD_GATEWAY], mayBeShort: true };
      }
      return {
        change,
        explanations:
          form === 'sse' ? [FINE, BAD_GATEWAY] : check === 'legacy' ? [cut, headless, BAD_GATEWAY] : [cut, BAD_GATEWAY],
      };
    },
  };
}

function errorInStream(path: string): Partial<Scenario> {
  const error = { message: 'The soak asked for it', type: 'soak_error', code: 'soak_error' };
  const data = JSON.stringify(
    path === '/v1/messages'
      ? { type: 'error', error: { type: 'soak_error', message: error.message } }
      : path === '/v1/responses'
        ? { type: 'error', code: 'soak_error', message: error.message, param: null, sequence_number: 0 }
        : { error },
  );
  const name = path === '/v1/chat/completions' ? '' : 'event: error\n';
  return { content_type: 'text/event-stream', body: `${name}data: ${data}\n\n` };
}
