/** Shows a secret. It is shown only once and not stored, so a failure must say what to do about the key. */
import { fstatSync, statSync } from 'node:fs';
import type { ApiKey } from '../keys/key.ts';
import { complain, OutputError } from '../output.ts';
import { CommandFailure } from './command.ts';

/** @throws CommandFailure when the secret could not be shown, also when the reader closed the pipe */
export function showSecret(key: ApiKey, show: () => void): void {
  try {
    show();
  } catch (error) {
    if (!(error instanceof OutputError)) throw error;
    throw new CommandFailure(`${error.message}\n${adviceFor(key)}`);
  }
  // Bun also opens it in place of a stdout that is closed.
  if (isNullDevice(STDOUT)) complain(`bve: stdout is /dev/null\n${adviceFor(key)}\n`);
}

/** Lines to paste for the most used clients. */
export function clientLines(baseUrl: string, secret: string): string {
  return `OpenAI SDKs       export OPENAI_BASE_URL=${baseUrl}/v1 OPENAI_API_KEY=${secret}
Anthropic SDKs    export ANTHROPIC_BASE_URL=${baseUrl} ANTHROPIC_AUTH_TOKEN=${secret}     (and Claude Code)
curl              curl ${baseUrl}/v1/models -H 'Authorization: Bearer ${secret}'
`;
}

const STDOUT = 1;

function adviceFor({ id, name }: ApiKey): string {
  return (
    `The secret of key ${id} (${JSON.stringify(name)}) is in effect but was not shown: ` +
    `create another with 'bve keys rotate ${id}', or end the key with 'bve keys revoke ${id}'.`
  );
}

function isNullDevice(fd: number): boolean {
  const { rdev } = fstatSync(fd);
  return rdev !== 0 && rdev === statSync('/dev/null', { throwIfNoEntry: false })?.rdev;
}
