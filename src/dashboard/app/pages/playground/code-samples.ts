/** The same request as code: what the playground does, to be taken along. The key stays a placeholder. */
import { bodyOf, type Prompt, pathOf } from './prompt.ts';

interface CodeSample {
  readonly label: string;
  readonly text: string;
}

const KEY = '$BVE_API_KEY';

export function codeSamples(prompt: Prompt, origin: string): CodeSample[] {
  const sdk = prompt.api === 'messages' ? anthropicSamples(prompt, origin) : openaiSamples(prompt, origin);
  return [{ label: 'curl', text: curl(prompt, origin) }, ...sdk];
}

function curl(prompt: Prompt, origin: string): string {
  const version = prompt.api === 'messages' ? ` \\\n  -H "anthropic-version: 2023-06-01"` : '';
  // In single quotes a shell takes everything as it is, except a single quote.
  const body = JSON.stringify(bodyOf(prompt), null, 2).replaceAll("'", `'\\''`);
  return `curl -N ${origin}${pathOf(prompt.api)} \\
  -H "Authorization: Bearer ${KEY}" \\
  -H "Content-Type: application/json"${version} \\
  -d '${body}'`;
}

function openaiSamples(prompt: Prompt, origin: string): CodeSample[] {
  const call = prompt.api === 'chat' ? 'chat.completions' : 'responses';
  const isChat = prompt.api === 'chat';
  return [
    {
      label: 'Python',
      text: `import os
from openai import OpenAI

client = OpenAI(base_url="${origin}/v1", api_key=os.environ["BVE_API_KEY"])
stream = client.${call}.create(
${pythonArguments(prompt)}
)
for event in stream:
${
  isChat
    ? '    if event.choices:\n        print(event.choices[0].delta.content or "", end="")'
    : '    if event.type == "response.output_text.delta":\n        print(event.delta, end="")'
}`,
    },
    {
      label: 'TypeScript',
      text: `import OpenAI from 'openai';

const client = new OpenAI({ baseURL: '${origin}/v1', apiKey: process.env.BVE_API_KEY });
const stream = await client.${call}.create(${JSON.stringify(bodyOf(prompt), null, 2)});
for await (const event of stream) {
  ${
    isChat
      ? "process.stdout.write(event.choices[0]?.delta?.content ?? '');"
      : "if (event.type === 'response.output_text.delta') process.stdout.write(event.delta);"
  }
}`,
    },
  ];
}

function anthropicSamples(prompt: Prompt, origin: string): CodeSample[] {
  return [
    {
      label: 'Python',
      text: `import os
from anthropic import Anthropic

client = Anthropic(base_url="${origin}", api_key=os.environ["BVE_API_KEY"])
stream = client.messages.create(
${pythonArguments(prompt)}
)
for event in stream:
    if event.type == "content_block_delta" and event.delta.type == "text_delta":
        print(event.delta.text, end="")`,
    },
    {
      label: 'TypeScript',
      text: `import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic({ baseURL: '${origin}', apiKey: process.env.BVE_API_KEY });
const stream = await client.messages.create(${JSON.stringify(bodyOf(prompt), null, 2)});
for await (const event of stream) {
  if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') process.stdout.write(event.delta.text);
}`,
    },
  ];
}

function pythonArguments(prompt: Prompt): string {
  return Object.entries(bodyOf(prompt))
    .map(([name, value]) => `    ${name}=${pythonValue(value)},`)
    .join('\n');
}

/** JSON is Python, but for these three words; none of them can occur outside of a text here. */
function pythonValue(value: unknown): string {
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (value === null) return 'None';
  if (Array.isArray(value)) return `[${value.map(pythonValue).join(', ')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value as Record<string, unknown>);
    return `{${entries.map(([name, entry]) => `${JSON.stringify(name)}: ${pythonValue(entry)}`).join(', ')}}`;
  }
  return JSON.stringify(value);
}
