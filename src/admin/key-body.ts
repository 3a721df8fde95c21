/**
 * The bodies of the key routes: their shape as a schema that Elysia checks, and what a schema cannot say.
 *
 * Unknown fields are refused: a mistyped limit must not create a key without it. `error` is what a field takes, in the
 * words of the message that refuses another value (see refused-input.ts).
 */
import { type Static, t } from 'elysia';
import { parseIsoTime } from '../keys/iso-time.ts';
import { GRACE_SECONDS_MAX, KEY_NAME_CHARACTERS_MAX, type KeyChanges, LIMIT_MAX, type NewKey } from '../keys/key.ts';
import { invalidField, UNKNOWN_FIELD } from './refused-input.ts';

const MODELS_MAX = 1_000;

const NAME = `a text of 1 to ${KEY_NAME_CHARACTERS_MAX} characters`;
// 0 is refused because it would be read as "no limit" by some and as "nothing at all" by others; [] likewise.
const LIMIT = `a whole number from 1 to ${LIMIT_MAX}, or null for no limit`;
const MODELS = `an array of 1 to ${MODELS_MAX} model names, or null for all models`;
const TIME = 'an ISO 8601 time with its zone, e.g. 2030-01-31T12:00:00Z, or null';

// In UTF-16 units; `name` below counts characters, of which each has one or two.
const name = t.String({ minLength: 1, maxLength: 2 * KEY_NAME_CHARACTERS_MAX, error: NAME });
// Not t.Integer: Elysia's own takes texts as well.
const limit = t.Optional(
  t.Union([t.Number({ multipleOf: 1, minimum: 1, maximum: LIMIT_MAX }), t.Null()], { error: LIMIT }),
);
const choices = {
  rpm_limit: limit,
  rpd_limit: limit,
  monthly_limit: limit,
  monthly_token_limit: limit,
  max_concurrent: limit,
  allowed_models: t.Optional(
    t.Union([t.Array(t.String({ minLength: 1, maxLength: 255 }), { minItems: 1, maxItems: MODELS_MAX }), t.Null()], {
      error: MODELS,
    }),
  ),
  inject_stream_usage: t.Optional(t.Boolean({ error: 'true or false' })),
  expires_at: t.Optional(t.Union([t.String(), t.Null()], { error: TIME })),
};
const strict = { additionalProperties: false, error: UNKNOWN_FIELD };

export const newKeyBody = t.Object({ name, ...choices }, strict);
export const keyChangesBody = t.Object({ name: t.Optional(name), ...choices }, strict);
export const rotateBody = t.Object(
  {
    grace_seconds: t.Optional(
      t.Number({
        multipleOf: 1,
        minimum: 0,
        maximum: GRACE_SECONDS_MAX,
        error: `a whole number from 0 to ${GRACE_SECONDS_MAX}`,
      }),
    ),
  },
  strict,
);

/** @throws GatewayError invalid_request, naming the field */
export function newKeyFrom(body: Static<typeof newKeyBody>): NewKey {
  return { ...keyChangesFrom(body), name: nameFrom(body.name) };
}

/** Only what the body has. @throws GatewayError invalid_request, naming the field */
export function keyChangesFrom(body: Static<typeof keyChangesBody>): KeyChanges {
  return {
    ...(body.name !== undefined && { name: nameFrom(body.name) }),
    ...(body.rpm_limit !== undefined && { rpmLimit: body.rpm_limit }),
    ...(body.rpd_limit !== undefined && { rpdLimit: body.rpd_limit }),
    ...(body.monthly_limit !== undefined && { monthlyLimit: body.monthly_limit }),
    ...(body.monthly_token_limit !== undefined && { monthlyTokenLimit: body.monthly_token_limit }),
    ...(body.max_concurrent !== undefined && { maxConcurrent: body.max_concurrent }),
    ...(body.allowed_models !== undefined && { allowedModels: modelsFrom(body.allowed_models) }),
    ...(body.inject_stream_usage !== undefined && { injectStreamUsage: body.inject_stream_usage }),
    ...(body.expires_at !== undefined && { expiresAt: timeFrom(body.expires_at) }),
  };
}

function nameFrom(text: string): string {
  if ([...text].length > KEY_NAME_CHARACTERS_MAX || !isStorable(text)) throw invalidField('name', NAME);
  return text;
}

function modelsFrom(models: readonly string[] | null): readonly string[] | null {
  if (models === null) return null;
  if (!models.every(isStorable)) throw invalidField('allowed_models', MODELS);
  return [...new Set(models)];
}

/** A time that is past is taken: it is how a key is made to expire now. */
function timeFrom(text: string | null): number | null {
  const time = text === null ? null : parseIsoTime(text);
  if (text !== null && time === null) throw invalidField('expires_at', TIME);
  return time;
}

/** Half a surrogate pair has no UTF-8, and Postgres has no NUL in texts: both would come back as something else. */
function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}
