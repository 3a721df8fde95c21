/**
 * The event that closes a stream which upstream broke off (contract, section 1), in the form of each API, so that its
 * SDK raises an error instead of taking a part for the whole.
 */
import type { Format } from '../gateway/meter.ts';

const CODE = 'upstream_stream_interrupted';
const MESSAGE = 'The upstream connection broke before the answer was complete';

const OPENAI_ERROR = { message: MESSAGE, type: 'upstream_error', code: CODE };

/** Built once: a broken upstream may mean thousands of interrupted streams at the same moment. */
const EVENTS: Readonly<Record<Format, Uint8Array>> = {
  chat: event(null, { error: OPENAI_ERROR }),
  opaque: event(null, { error: OPENAI_ERROR }),
  // Both spellings of the Responses API: the reference has the fields at the top, the wire has them under `error`.
  responses: event('error', {
    type: 'error',
    code: CODE,
    message: MESSAGE,
    param: null,
    error: { ...OPENAI_ERROR, param: null },
  }),
  messages: event('error', { type: 'error', error: { type: 'api_error', message: MESSAGE, code: CODE } }),
};

export function interruptionEvent(format: Format): Uint8Array {
  return EVENTS[format];
}

function event(name: string | null, data: object): Uint8Array {
  return new TextEncoder().encode(`${name ? `event: ${name}\n` : ''}data: ${JSON.stringify(data)}\n\n`);
}
