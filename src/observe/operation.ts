/** What OpenTelemetry's GenAI conventions call the operation of a request. */
import { ENDPOINTS } from '../gateway/endpoints.ts';
import type { SettledExchange } from './observer.ts';

/** The provider, in their words. */
export const PROVIDER = 'fuelix';

/** Null when it does not make upstream generate. */
export function operationOf({ endpoint, method }: Pick<SettledExchange, 'endpoint' | 'method'>): string | null {
  return method === 'POST' ? (OPERATIONS.get(endpoint) ?? null) : null;
}

const OPERATIONS: ReadonlyMap<string, string> = new Map(
  ENDPOINTS.filter(({ generates, method }) => generates && method === 'POST').map(({ path }) => [
    path,
    operationAt(path),
  ]),
);

function operationAt(path: string): string {
  if (path === '/v1/embeddings') return 'embeddings';
  if (path === '/v1/completions') return 'text_completion';
  if (path.startsWith('/v1/threads')) return 'invoke_agent';
  if (path.startsWith('/v1/images') || path.startsWith('/v1/audio')) return 'generate_content';
  return 'chat';
}
