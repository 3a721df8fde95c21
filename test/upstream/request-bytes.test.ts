import { expect, test } from 'bun:test';
import { requestBytes } from '../../src/upstream/request-bytes.ts';

const bytesOf = (body: Uint8Array) =>
  requestBytes({ method: 'POST', target: '/chat/completions', headers: [['accept', '*/*']], body }, '/v1', 'upstream');

function headOf(length: number): string {
  return `POST /v1/chat/completions HTTP/1.1\r\nhost: upstream\r\naccept: */*\r\ncontent-length: ${length}\r\n\r\n`;
}

test('a small request is one piece', () => {
  const { first, rest } = bytesOf(Buffer.from('{"model":"m"}'));
  expect([Buffer.from(first).toString(), rest]).toEqual([`${headOf(13)}{"model":"m"}`, null]);
});

test('a large body is not copied: it is in memory once', () => {
  const body = Buffer.alloc(1_000_000, 'x');
  const { first, rest } = bytesOf(body);
  expect(Buffer.from(first).toString()).toBe(headOf(1_000_000));
  expect(rest).toBe(body);
});
