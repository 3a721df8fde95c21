/**
 * Calls of the API that clients use, with a client key that exists only in this page's memory. The answer is read as a
 * client would read it, and the time of each event is noted.
 */
import { errorOf, unreachable } from '../../api/api-error.ts';
import { readEvents } from '../../api/sse-reader.ts';
import { bodyOf, type Prompt, pathOf } from './prompt.ts';

export interface ReceivedEvent {
  /** Since the request was sent. */
  readonly atMs: number;
  readonly name: string;
  readonly data: string;
}

interface AnswerReceiver {
  head(head: { status: number; atMs: number; latencyMs: string | null }): void;
  event(event: ReceivedEvent): void;
}

/** A request id of our own: a streamed answer carries only that of upstream. */
export function newRequestId(): string {
  // Not randomUUID: browsers have it only under https and on localhost.
  return `playground-${Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** Rejects with an ApiError when there is no answer or it is a refusal; an answer that breaks off rejects too. */
export async function stream(
  prompt: Prompt,
  key: string,
  requestId: string,
  receiver: AnswerReceiver,
  signal: AbortSignal,
): Promise<void> {
  const sentAtMs = performance.now();
  const response = await send(
    pathOf(prompt.api),
    {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'x-request-id': requestId,
        ...(prompt.api === 'messages' ? { 'anthropic-version': '2023-06-01' } : {}),
      },
      body: JSON.stringify(bodyOf(prompt)),
    },
    signal,
  );
  receiver.head({
    status: response.status,
    atMs: performance.now() - sentAtMs,
    latencyMs: response.headers.get('x-bve-latency'),
  });
  if (!response.ok) throw await errorOf(response);
  await readEvents(response.body!, ({ name, data }) =>
    receiver.event({ atMs: performance.now() - sentAtMs, name, data }),
  );
}

/** The names of the models that a key may use, in order. */
export async function listModels(key: string, signal: AbortSignal): Promise<string[]> {
  const response = await send('/v1/models', { headers: { authorization: `Bearer ${key}` } }, signal);
  if (!response.ok) throw await errorOf(response);
  const { data } = (await response.json()) as { data?: { id?: unknown }[] };
  return (data ?? []).flatMap(({ id }) => (typeof id === 'string' ? [id] : [])).sort();
}

async function send(url: string, init: RequestInit, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { cache: 'no-store', ...init, signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw unreachable();
  }
}
