/** Images: generated from JSON, edited from a form; whole, or as events with partial images. */
import { type Answer, json, stream } from '../answer.ts';
import { binaryBytes } from '../binary.ts';
import { CREATED_S, PROMPT_TOKENS } from '../completion.ts';
import { needsFile, receivedForm } from '../received.ts';
import type { MockCall, MockRoute } from '../route.ts';

export const imageRoutes: readonly MockRoute[] = [
  { method: 'POST', path: '/images/generations', answer: (call) => images(call, 'image_generation', {}) },
  {
    method: 'POST',
    path: '/images/edits',
    answer: (call) => needsFile(call, 'image') ?? images(call, 'image_edit', { mock: receivedForm(call) }),
  },
];

/** A PNG of one pixel. */
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const IMAGE_TOKENS = 1_056;
const PARTIAL_BYTES = 1_500;

function images(call: MockCall, event: string, more: object): Answer {
  const { fields, scenario } = call;
  const usage = scenario.usage ?? {
    input_tokens: PROMPT_TOKENS,
    input_tokens_details: { text_tokens: PROMPT_TOKENS, image_tokens: 0 },
    output_tokens: IMAGE_TOKENS,
    total_tokens: PROMPT_TOKENS + IMAGE_TOKENS,
  };
  const look = { size: '1024x1024', quality: 'low', background: 'opaque', output_format: 'png' };
  // A form has strings only.
  if (fields.stream === true || fields.stream === 'true') return stream(imageEvents(call, event, { ...look, usage }));
  const count = Math.min(10, Number(fields.n ?? 1) || 1);
  const image = fields.response_format === 'url' ? { url: 'https://mock.invalid/image.png' } : { b64_json: PIXEL };
  const data = Array.from({ length: count }, () => image);
  return json({ created: CREATED_S, data, ...look, usage, ...more });
}

/** Ends with `….completed` and its usage; there is no `[DONE]`. */
function imageEvents({ fields, scenario }: MockCall, event: string, { usage, ...look }: Record<string, unknown>) {
  const count = scenario.events ?? (Number(fields.partial_images ?? 0) || 0);
  const told = (type: string, rest: object) =>
    `event: ${event}.${type}\ndata: ${JSON.stringify({ type: `${event}.${type}`, ...rest, created_at: CREATED_S, ...look })}\n\n`;
  const partial = binaryBytes(PARTIAL_BYTES).toString('base64');
  return {
    prelude: [],
    count,
    token: (i: number) =>
      told('partial_image', {
        ...(scenario.events === undefined ? {} : { i }),
        b64_json: partial,
        partial_image_index: i,
      }),
    epilogue: [told('completed', { b64_json: PIXEL, usage })],
  };
}
