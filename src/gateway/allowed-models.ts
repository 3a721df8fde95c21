/**
 * Whether a key with `allowed_models` may make a request. Upstream may choose the model by more than the top-level `model`: by
 * the same name in another case, a list of fallback models, a query parameter. What cannot be checked here is refused.
 */
import { GatewayError } from '../errors.ts';
import { JSON_ARRAY, JSON_NULL } from '../formats/json-grammar.ts';
import type { FoundField } from '../formats/request-fields.ts';
import { type BodyFields, wrongType } from '../http/body-fields.ts';
import { shortModelName } from './model-name.ts';

/** Fields that list models to choose from. */
const LISTS = ['models', 'fallbacks'] as const;
const NAMED_ONCE = ['model', ...LISTS] as const;
/** A list of a thousand models has 40 kB. */
const LIST_BYTES_MAX = 64 * 1024;

/** @throws GatewayError model_not_allowed, invalid_request */
export function checkModel(allowed: readonly string[], model: string | null): void {
  // Without a model upstream would choose one, which may not be allowed.
  if (model === null)
    throw new GatewayError('invalid_request', "Missing field 'model': this API key is limited to certain models");
  if (!allowed.includes(model)) {
    throw new GatewayError('model_not_allowed', `Model '${shortModelName(model)}' is not allowed for this API key`);
  }
}

/** Checks the other fields of a body that may name a model. @throws GatewayError model_not_allowed, invalid_request */
export function checkModelFields(allowed: readonly string[], body: Uint8Array, fields: BodyFields): void {
  for (const name of NAMED_ONCE) checkSpelling(name, fields.found.get(name));
  for (const name of LISTS) {
    const value = fields.found.get(name)?.value ?? null;
    if (value === null || value.kind === JSON_NULL) continue;
    if (value.kind !== JSON_ARRAY) throw wrongType(name, 'an array of strings', value.kind);
    if (value.to - value.from > LIST_BYTES_MAX)
      throw new GatewayError('invalid_request', `Field '${name}' is longer than ${LIST_BYTES_MAX} bytes`);
    const names = JSON.parse(Buffer.from(body.subarray(value.from, value.to)).toString()) as unknown[];
    for (const model of names) {
      if (typeof model !== 'string')
        throw new GatewayError('invalid_request', `Field '${name}' must list names of models only`);
      checkModel(allowed, model);
    }
  }
}

/** @throws GatewayError invalid_request */
export function checkModelQuery(target: string): void {
  const query = target.indexOf('?');
  if (query === -1) return;
  for (const pair of target.slice(query + 1).split(/[&;]/)) {
    const name = decoded(pair.split('=', 1)[0] as string);
    if (/^(model|models|fallbacks)(\[.*)?$/i.test(name.trim()))
      throw new GatewayError(
        'invalid_request',
        "This API key is limited to certain models: 'model' must be in the body, not in the query",
      );
  }
}

function checkSpelling(name: string, field: FoundField | undefined): void {
  if (field?.inOtherCase) throw new GatewayError('invalid_request', `Field '${name}' must be written in lower case`);
  if (field && field.occurrences > 1) throw new GatewayError('invalid_request', `Field '${name}' occurs twice`);
}

/** As a form decodes it; a malformed escape stands for itself. */
function decoded(name: string): string {
  const text = name.replaceAll('+', ' ');
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
