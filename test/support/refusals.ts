/** What a refusal of the gateway looks like (contract, section 4). */
import { expect } from 'bun:test';
import { jsonOf, UUID } from './pair.ts';
import type { RawAnswer } from './raw-client.ts';

interface Refusal {
  readonly status: number;
  readonly type: string;
  readonly code: string;
  readonly message: string;
}

export function expectOpenAi(answer: RawAnswer, { status, type, code, message }: Refusal): void {
  expect(answer.status).toBe(status);
  expect(answer.header('content-type')).toBe('application/json');
  expect(answer.header('x-request-id')).toMatch(UUID);
  expect(answer.complete).toBe(true);
  expect(jsonOf(answer)).toEqual({ error: { message, type, code } });
}

export function expectAnthropic(answer: RawAnswer, status: number, type: string, message: string): void {
  expect(answer.status).toBe(status);
  expect(answer.header('content-type')).toBe('application/json');
  expect(answer.header('x-request-id')).toMatch(UUID);
  expect(jsonOf(answer)).toEqual({
    type: 'error',
    error: { type, message },
    request_id: answer.header('x-request-id'),
  });
  expect(answer.header('request-id')).toBe(answer.header('x-request-id'));
}

export const UPSTREAM_BROKE = { type: 'upstream_error', code: 'upstream_error' } as const;

export function expectOpenAiCode(answer: RawAnswer, code: string): void {
  expect(jsonOf(answer)).toMatchObject({ error: { code } });
  expect(answer.header('x-request-id')).not.toBeNull();
}
