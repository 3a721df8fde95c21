/**
 * Validates the bodies of the key routes, field by field, with the table of key fields.
 *
 * Unknown fields are errors: a mistyped limit must not create a key without that limit. Elysia's own validation is not used:
 * by default it drops unknown fields, and its error path throws on objects with free names such as `tags` (1.4.30).
 */
import { GatewayError } from '../errors.ts';
import { FIELD_LIST } from '../keys/fields.ts';
import { GRACE_SECONDS_MAX, type KeyChanges, type NewKey } from '../keys/key.ts';
import { invalidField, unknownField } from './refused-input.ts';
import type { JsonObject } from './request.ts';

const FIELDS = new Map(FIELD_LIST.map(([property, field]) => [field.name, { property, field }]));

/** @throws GatewayError invalid_request, naming the field */
export function newKeyFrom(body: JsonObject): NewKey {
  const { name, ...others } = keyChangesFrom(body);
  if (name === undefined) throw new GatewayError('invalid_request', "Missing field 'name'");
  return { name, ...others };
}

/** Only the fields that the body contains. @throws GatewayError invalid_request, naming the field */
export function keyChangesFrom(body: JsonObject): KeyChanges {
  const entries = Object.entries(body).map(([name, json]) => {
    const row = FIELDS.get(name);
    if (!row) throw unknownField(name);
    const value = row.field.parse(json);
    if (value === undefined) throw invalidField(name, row.field.takes);
    return [row.property, value];
  });
  return Object.fromEntries(entries);
}

/** @throws GatewayError invalid_request, naming the field */
export function graceSecondsFrom(body: JsonObject): number {
  const { grace_seconds: graceS = 0, ...others } = body;
  for (const name of Object.keys(others)) throw unknownField(name);
  if (typeof graceS !== 'number' || !Number.isInteger(graceS) || graceS < 0 || graceS > GRACE_SECONDS_MAX) {
    throw invalidField('grace_seconds', `a whole number from 0 to ${GRACE_SECONDS_MAX}`);
  }
  return graceS;
}
