/** Errors for invalid bodies and queries of the admin API; each message names the field or parameter. */
import { GatewayError } from '../errors.ts';

const NAME_CHARACTERS_MAX = 64;

/** @param expected completes "expected …" */
export function invalidField(field: string, expected: string): GatewayError {
  return new GatewayError('invalid_request', `Invalid value for '${shortened(field)}': expected ${expected}`);
}

export function unknownField(field: string): GatewayError {
  return new GatewayError('invalid_request', `Unknown field '${shortened(field)}'`);
}

export function unknownParameter(name: string): GatewayError {
  return new GatewayError('invalid_request', `Unknown parameter '${shortened(name)}'`);
}

export function repeatedParameter(name: string): GatewayError {
  return new GatewayError('invalid_request', `Parameter '${shortened(name)}' is given twice`);
}

function shortened(name: string): string {
  return name.length <= NAME_CHARACTERS_MAX ? name : `${name.slice(0, NAME_CHARACTERS_MAX)}…`;
}
