/** Every call of the admin API that this application makes, one function each. All reject with an ApiError. */
import { adminSession, endSession } from './admin-session.ts';
import { ApiError, errorOf, unreachable } from './api-error.ts';
import type {
  Configuration,
  IssuedKey,
  KeyFields,
  KeyObject,
  KeyWithLimits,
  RequestRecord,
  SummaryAnswer,
  Target,
  UsageByPeriod,
} from './api-types.ts';
import { reportAnswer, reportNoAnswer } from './connection-monitor.ts';

const TIMEOUT_MS = 20_000;

type QueryParameters = Readonly<Record<string, string | number | null | undefined>>;
export type StatusChange = 'suspend' | 'activate' | 'revoke';

/** As many as the API gives at once. */
export const PAGE_ROWS = 1000;

/** Resolves when the gateway accepts this admin key. */
export async function checkAdminKey(key: string): Promise<void> {
  await call('GET', '/admin/api-keys', { query: { limit: 1 }, key });
}

export function listKeys(
  query: { after?: string | undefined; limit: number },
  signal?: AbortSignal,
): Promise<KeyObject[]> {
  return call('GET', '/admin/api-keys', { query, signal });
}

export function getKey(id: string, signal?: AbortSignal): Promise<KeyWithLimits> {
  return call('GET', `/admin/api-keys/${encodeURIComponent(id)}`, { signal });
}

export function createKey(fields: Partial<KeyFields>): Promise<IssuedKey> {
  return call('POST', '/admin/api-keys', { body: fields });
}

export function changeKey(id: string, fields: Partial<KeyFields>): Promise<KeyObject> {
  return call('PATCH', `/admin/api-keys/${encodeURIComponent(id)}`, { body: fields });
}

export function changeKeyStatus(id: string, change: StatusChange): Promise<KeyObject> {
  return call('POST', `/admin/api-keys/${encodeURIComponent(id)}/${change}`, {});
}

export function rotateKey(id: string, graceSeconds: number): Promise<IssuedKey> {
  return call('POST', `/admin/api-keys/${encodeURIComponent(id)}/rotate`, { body: { grace_seconds: graceSeconds } });
}

export async function deleteKey(id: string): Promise<void> {
  await call('DELETE', `/admin/api-keys/${encodeURIComponent(id)}`, {});
}

export function getUsage(query: { key_id: string }, signal?: AbortSignal): Promise<UsageByPeriod> {
  return call('GET', '/admin/usage', { query, signal });
}

export interface SummaryParameters {
  readonly group_by: string;
  readonly from: string;
  readonly to: string;
  readonly key_id?: string | undefined;
}

export function getUsageSummary(query: SummaryParameters, signal?: AbortSignal): Promise<SummaryAnswer> {
  return call('GET', '/admin/usage/summary', { query: { ...query }, signal });
}

export interface RequestsQuery {
  readonly key_id?: string | undefined;
  readonly request_id?: string | undefined;
  readonly model?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly finish?: string | undefined;
  readonly status?: string | undefined;
  readonly min_duration_ms?: string | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
}

export function listRequests(query: RequestsQuery, signal?: AbortSignal): Promise<RequestRecord[]> {
  return call('GET', '/admin/requests', { query: { ...query }, signal });
}

export async function getTargets(signal?: AbortSignal): Promise<Target[]> {
  return (await call<{ targets: Target[] }>('GET', '/admin/targets', { signal })).targets;
}

export function getConfiguration(signal?: AbortSignal): Promise<Configuration> {
  return call('GET', '/admin/config', { signal });
}

export async function beginDrain(): Promise<void> {
  await call('POST', '/admin/drain', {});
}

/** The answer's status: 200, or 503 while starting or draining. */
export async function getReadiness(signal?: AbortSignal): Promise<{ ready: boolean; status: string }> {
  const response = await send('/ready', { headers: {} }, signal);
  const body = (await response.json().catch(() => ({}))) as { status?: unknown };
  return { ready: response.ok, status: typeof body.status === 'string' ? body.status : String(response.status) };
}

/** The open answer of /admin/live; its body is read by live-stream.ts. */
export async function openLive(signal: AbortSignal): Promise<Response> {
  return refuseErrors(await send('/admin/live', { headers: headersFor(adminSession.value.key) }, signal));
}

/** An absolute URL is not needed: the application calls the gateway it came from, and the policy allows no other. */
function urlOf(path: string, query: QueryParameters = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? path : `${path}?${text}`;
}

interface CallOptions {
  readonly query?: QueryParameters;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Instead of that of the session. */
  readonly key?: string;
}

async function call<T>(method: string, path: string, { query, body, signal, key }: CallOptions): Promise<T> {
  const headers = headersFor(key ?? adminSession.value.key);
  if (body !== undefined) headers['content-type'] = 'application/json';
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const response = await refuseErrors(
    await send(
      urlOf(path, query),
      { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) },
      signal ? AbortSignal.any([signal, timeout]) : timeout,
      signal,
    ),
    key !== undefined,
  );
  if (response.status === 204) return undefined as T;
  try {
    return (await response.json()) as T;
  } catch {
    if (signal?.aborted) throw signal.reason;
    throw unreachable();
  }
}

/** `cancelled` is the caller's own signal: its end is not the gateway's fault. */
async function send(url: string, init: RequestInit, signal?: AbortSignal, cancelled = signal): Promise<Response> {
  try {
    const response = await fetch(url, { cache: 'no-store', ...init, ...(signal ? { signal } : {}) });
    reportAnswer();
    return response;
  } catch (error) {
    if (cancelled?.aborted) throw error;
    reportNoAnswer();
    throw unreachable();
  }
}

async function refuseErrors(response: Response, isTrial = false): Promise<Response> {
  if (response.ok) return response;
  const error = await errorOf(response);
  if (!isTrial && (error.kind === 'wrong_key' || error.kind === 'disabled')) {
    endSession(
      error.kind === 'disabled'
        ? 'The admin API of this gateway is off: ADMIN_API_KEY is not set.'
        : 'The gateway no longer accepts this admin key. It may have been changed.',
    );
  }
  throw error;
}

function headersFor(key: string | null): Record<string, string> {
  return key === null ? {} : { authorization: `Bearer ${key}` };
}

export function isApiError(error: unknown): error is ApiError {
  return error instanceof ApiError;
}
