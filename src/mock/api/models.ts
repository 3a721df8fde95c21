/** Models and embeddings. */
import { type Answer, errorAnswer, json } from '../answer.ts';
import { CREATED_S, PROMPT_TOKENS } from '../completion.ts';
import type { MockCall, MockRoute } from '../route.ts';

const MODELS = [
  'gpt-4o',
  'gpt-4o-mini',
  'claude-sonnet-4',
  'text-embedding-3-small',
  'meta-llama/llama-3.3-70b',
] as const;

export const modelRoutes: readonly MockRoute[] = [
  { method: 'GET', path: '/models', answer: (call) => json(models(call)) },
  { method: 'GET', path: '/models/{model*}', answer: oneModel },
  { method: 'POST', path: '/embeddings', answer: embeddings },
];

/** In Anthropic's form for Anthropic's clients. */
function models({ request }: MockCall): unknown {
  if (request.get('anthropic-version') === undefined) return { object: 'list', data: MODELS.map(model) };
  const data = MODELS.map((id) => ({ type: 'model', id, display_name: id, created_at: CREATED_AT }));
  return { data, first_id: MODELS[0], last_id: MODELS.at(-1), has_more: false };
}

function oneModel(call: MockCall): Answer {
  const [asked] = call.ids as [string];
  const id = MODELS.find((name) => name === asked);
  if (!id) return errorAnswer(404, `The model '${asked}' does not exist`, 'model_not_found');
  return json(model(id));
}

function model(id: string): unknown {
  return { id, object: 'model', created: CREATED_S, owned_by: 'mock' };
}

/** OpenAI's SDK requests base64: four bytes per number. */
function embeddings({ fields, scenario }: MockCall): Answer {
  const { input, model: name, encoding_format } = fields;
  const inputs = Array.isArray(input) ? input : [input];
  const embedding = encoding_format === 'base64' ? Buffer.from(VECTOR.buffer).toString('base64') : [...VECTOR];
  const data = inputs.map((_, index) => ({ object: 'embedding', index, embedding }));
  const usage = scenario.usage ?? { prompt_tokens: PROMPT_TOKENS, total_tokens: PROMPT_TOKENS };
  return json({ object: 'list', data, model: typeof name === 'string' ? name : 'text-embedding-3-small', usage });
}

const CREATED_AT = new Date(CREATED_S * 1000).toISOString();
const VECTOR = new Float32Array([0.25, -0.5, 0.125, 1]);
