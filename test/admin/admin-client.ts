/** Calls of the admin API over real sockets, and what they answer. */
import { expect } from 'bun:test';
import type { GatewayProcess } from '../support/gateway.ts';

export const ADMIN_KEY = 'admin-key-for-tests-0123456789';

interface AdminAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: what a test reads of an answer is what it tests.
  readonly json: any;
}

export interface AdminCall {
  readonly method?: string;
  /** As it is when it is text or bytes, else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** GET without a body, POST with one, unless told otherwise. @param path behind /admin */
export async function adminCall(gateway: { url: string }, path: string, call: AdminCall = {}): Promise<AdminAnswer> {
  const { body } = call;
  const response = await fetch(`${gateway.url}/admin${path}`, {
    method: call.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { authorization: `Bearer ${ADMIN_KEY}`, ...call.headers },
    ...(body === undefined
      ? {}
      : { body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: text === '' ? null : JSON.parse(text) };
}

/** An answer of success, as JSON. */
// biome-ignore lint/suspicious/noExplicitAny: see above.
export async function admin(gateway: { url: string }, path: string, call: AdminCall = {}): Promise<any> {
  const answer = await adminCall(gateway, path, call);
  expect({ status: answer.status, text: answer.text }).toEqual({
    status: answer.status < 300 ? answer.status : 200,
    text: answer.text,
  });
  return answer.json;
}

/** A key as it is, without the limits that only this answer has. */
export async function storedKey(gateway: { url: string }, id: string) {
  const { limits, ...key } = await admin(gateway, `/api-keys/${id}`);
  return key;
}

export function errorOf(message: string, code: string, type = 'invalid_request_error') {
  return { error: { message, type, code } };
}

/** The status of a chat completion with a key: 200 when the key works. */
export async function statusWith(gateway: GatewayProcess, key: string, body: unknown = {}): Promise<number> {
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: 'm', messages: [], ...(body as object) }),
  });
  await response.arrayBuffer();
  return response.status;
}
