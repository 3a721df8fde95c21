/** What an admin call is told whose body or query is not what the route takes: the message names the field. */
import type { ValidationError } from 'elysia';
import { GatewayError } from '../errors.ts';

/** The `error` of an object's schema, which is what an unknown field offends. */
export const UNKNOWN_FIELD = 'no such field';

const FIELD_CHARACTERS_MAX = 64;

/** @param expected completes "expected …" */
export function invalidField(field: string, expected: string): GatewayError {
  return new GatewayError('invalid_request', `Invalid value for '${shortened(field)}': expected ${expected}`);
}

/** From what Elysia found wrong first. */
export function refusedInput({ type, valueError, customError }: ValidationError): GatewayError {
  const field = firstSegment(valueError?.path ?? '');
  if (customError === UNKNOWN_FIELD) {
    return new GatewayError(
      'invalid_request',
      `Unknown ${type === 'query' ? 'parameter' : 'field'} '${shortened(field)}'`,
    );
  }
  if (valueError?.value === undefined) return new GatewayError('invalid_request', `Missing field '${field}'`);
  return invalidField(field, String(customError));
}

/** Of a JSON pointer (RFC 6901): the field, not what lies inside it. */
function firstSegment(pointer: string): string {
  const segment = pointer.slice(1).split('/', 1)[0] ?? '';
  return segment.replaceAll('~1', '/').replaceAll('~0', '~');
}

function shortened(field: string): string {
  return field.length <= FIELD_CHARACTERS_MAX ? field : `${field.slice(0, FIELD_CHARACTERS_MAX)}…`;
}
