/** The values of `error_type`, a closed set: what upstream calls its errors inside a stream may be anything. */
import { isErrorCode } from '../../errors.ts';

/** OpenTelemetry's name for what is none of those that are listed. */
const OTHER = '_OTHER';
const UPSTREAM_STATUS = /^upstream_[45]\d\d$/;
/** Of streams that broke, and those that OpenAI and Anthropic report inside a stream. */
const OTHERS: ReadonlySet<string> = new Set([
  'upstream_stream_interrupted',
  'client_stalled',
  'server_error',
  'context_length_exceeded',
  'insufficient_quota',
  'content_filter',
  'invalid_request_error',
  'rate_limit_error',
  'overloaded_error',
  'api_error',
  'timeout_error',
]);
/** Most codes are seen again and again; no more of them than there are values. */
const known = new Map<string, string>();

export function errorTypeOf(code: string): string {
  const type = known.get(code);
  if (type !== undefined) return type;
  if (!isErrorCode(code) && !OTHERS.has(code) && !UPSTREAM_STATUS.test(code)) return OTHER;
  known.set(code, code);
  return code;
}
