/** A secret is shown once and stored nowhere: when its only showing fails, whoever asked for it is told what to do. */
import type { ApiKey } from '../keys/key.ts';
import { OutputError } from '../output.ts';
import { CommandFailure } from './command.ts';

/** @throws CommandFailure when nobody has seen it, also where the reader of the output was merely gone */
export function showSecret({ id, name }: ApiKey, show: () => void): void {
  try {
    show();
  } catch (error) {
    if (!(error instanceof OutputError)) throw error;
    throw new CommandFailure(
      `${error.message}\nThe secret of key ${id} (${JSON.stringify(name)}) is in effect and was not shown: ` +
        `'bve keys rotate ${id}' makes another, 'bve keys revoke ${id}' ends the key.`,
    );
  }
}

/** What the most used clients need, ready to paste. */
export function clientLines(baseUrl: string, secret: string): string {
  return `OpenAI's SDKs     export OPENAI_BASE_URL=${baseUrl}/v1 OPENAI_API_KEY=${secret}
Anthropic's SDKs  export ANTHROPIC_BASE_URL=${baseUrl} ANTHROPIC_AUTH_TOKEN=${secret}     (and Claude Code)
curl              curl ${baseUrl}/v1/models -H 'Authorization: Bearer ${secret}'
`;
}
