/** One thing that people do with a client. What it returns or throws must be the same through the gateway as without it. */
export interface Access {
  /** Ends in /v1. */
  readonly baseUrl: string;
  readonly apiKey: string;
}

/** `mock` in a request chooses what the mock upstream answers; a gateway passes it on. */
export type Mock = Readonly<Record<string, unknown>>;

export type Case = (access: Access) => Promise<unknown>;

/** What a case came to. */
export interface Outcome {
  readonly name: string;
  readonly value?: unknown;
  readonly error?: Readonly<Record<string, unknown>>;
  readonly ms: number;
}

export async function runCases(cases: Readonly<Record<string, Case>>, access: Access): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [name, run] of Object.entries(cases)) {
    const since = performance.now();
    const result = await run(access).then(
      (value) => ({ value: value ?? null }),
      (error: unknown) => ({ error: told(error) }),
    );
    outcomes.push({ name, ...result, ms: Math.round(performance.now() - since) });
  }
  return outcomes;
}

/** What a program could tell errors apart by. */
function told(error: unknown): Readonly<Record<string, unknown>> {
  const { name, message, status, statusCode, code, type, param } = error as Record<string, unknown>;
  const className = (error as object)?.constructor?.name;
  return { class: className, name, message: text(message), status: status ?? statusCode, code, type, param };
}

/** Ports differ. */
function text(message: unknown): unknown {
  return typeof message === 'string' ? message.replaceAll(/:\d{4,5}\b/g, ':PORT') : message;
}

/** Errors that the mock answers with, in the envelope of OpenAI. */
export function failing(status: number, headers: readonly (readonly [string, string])[] = []): Mock {
  const error = { message: `mock ${status}`, type: 'mock_error', code: `mock_${status}`, param: null };
  return { status, headers, json: { error } };
}

export async function collected<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

export async function sha256(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
