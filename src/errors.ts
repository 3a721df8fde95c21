/**
 * The one table of everything the gateway itself refuses: code → status and type.
 * Source: contract, sections 3, 4, 5 and 7. Codes and types are what clients match on; change none of them.
 */
const ERRORS = {
  invalid_json: { status: 400, type: 'invalid_request_error' },
  invalid_request: { status: 400, type: 'invalid_request_error' },
  unsupported_streaming_completion: { status: 400, type: 'invalid_request_error' },
  missing_api_key: { status: 401, type: 'invalid_request_error' },
  invalid_api_key: { status: 401, type: 'invalid_request_error' },
  api_key_suspended: { status: 403, type: 'invalid_request_error' },
  api_key_revoked: { status: 403, type: 'invalid_request_error' },
  api_key_expired: { status: 403, type: 'invalid_request_error' },
  model_not_allowed: { status: 403, type: 'invalid_request_error' },
  endpoint_not_allowed: { status: 403, type: 'invalid_request_error' },
  admin_disabled: { status: 403, type: 'invalid_request_error' },
  route_not_found: { status: 404, type: 'invalid_request_error' },
  /** Not in the contract's table: the admin API was asked for a key that does not exist. */
  api_key_not_found: { status: 404, type: 'invalid_request_error' },
  model_not_found: { status: 404, type: 'invalid_request_error' },
  method_not_allowed: { status: 405, type: 'invalid_request_error' },
  /** Not in the contract's table: RFC 9110, section 15.5.9, for a body that does not arrive in time. */
  request_timeout: { status: 408, type: 'invalid_request_error' },
  /** Not in the contract's table: RFC 9110, section 15.5.10, for a change that the state of a key does not allow. */
  conflict: { status: 409, type: 'invalid_request_error' },
  request_too_large: { status: 413, type: 'invalid_request_error' },
  unsupported_content_encoding: { status: 415, type: 'invalid_request_error' },
  rate_limit_exceeded: { status: 429, type: 'rate_limit_error' },
  internal_error: { status: 500, type: 'api_error' },
  upstream_error: { status: 502, type: 'upstream_error' },
  overloaded: { status: 503, type: 'api_error' },
  upstream_timeout: { status: 504, type: 'upstream_error' },
} as const;

type ErrorCode = keyof typeof ERRORS;

export function isErrorCode(code: string): boolean {
  return Object.hasOwn(ERRORS, code);
}

/** What there was no room in, for metrics. */
type OverloadReason = 'requests' | 'bodies' | 'draining' | 'store' | 'limits' | 'targets';

interface GatewayErrorOptions {
  readonly cause?: unknown;
  /** Sent as Retry-After, whole seconds. */
  readonly retryAfterS?: number;
  /** Words of upstream's that the client is told behind the message. They are never logged: they may quote a prompt. */
  readonly quoted?: string | null;
  /** Sent as Allow with a 405. */
  readonly allow?: string;
  /** Why it is `overloaded`. */
  readonly reason?: OverloadReason;
  /** Ends the connection with the answer: the next request belongs on another one. */
  readonly closes?: boolean;
}

/** A refusal that the client is told about. The message goes to the client as it is: no secret, no internal name. */
export class GatewayError extends Error {
  /** Without what is quoted. */
  readonly ownMessage: string;
  readonly status: number;
  readonly type: string;
  readonly retryAfterS: number | undefined;
  readonly allow: string | undefined;
  readonly reason: OverloadReason | undefined;
  readonly closes: boolean;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: GatewayErrorOptions = {},
  ) {
    super(options.quoted ? `${message}: ${options.quoted}` : message, { cause: options.cause });
    this.ownMessage = message;
    const entry = ERRORS[code];
    this.status = entry.status;
    this.type = entry.type;
    this.retryAfterS = options.retryAfterS;
    this.allow = options.allow;
    this.reason = options.reason;
    this.closes = options.closes ?? false;
  }
}

/** Anthropic's own error types by status; a Messages client switches on these. */
const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  408: 'timeout_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

/** A wait that a client may be asked to sit out, seconds. */
const RETRY_AFTER_S_MAX = 60;

export type Envelope = 'openai' | 'anthropic';

/** The head fields and the text of a refusal, in the envelope of the API that was called. */
export function errorAnswer(error: GatewayError, requestId: string, envelope: Envelope) {
  const headers: Record<string, string> = { 'content-type': 'application/json', 'x-request-id': requestId };
  if (error.retryAfterS !== undefined) headers['retry-after'] = String(error.retryAfterS);
  // SDKs sleep for as long as Retry-After says, or try again before it: for longer than this they should give up.
  if (error.retryAfterS !== undefined && error.retryAfterS > RETRY_AFTER_S_MAX) headers['x-should-retry'] = 'false';
  if (error.allow !== undefined) headers.allow = error.allow;
  if (error.closes) headers.connection = 'close';
  if (envelope === 'anthropic') headers['request-id'] = requestId;
  // RFC 9110, section 11.6.1: a 401 names the scheme.
  if (error.status === 401) headers['www-authenticate'] = 'Bearer';
  return { status: error.status, headers, text: JSON.stringify(errorBody(error, requestId, envelope)) };
}

function errorBody(error: GatewayError, requestId: string, envelope: Envelope): object {
  const { message, type, code, status } = error;
  if (envelope === 'openai') return { error: { message, type, code } };
  return {
    type: 'error',
    error: { type: ANTHROPIC_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error'), message },
    request_id: requestId,
  };
}
