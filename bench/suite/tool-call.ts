/** A streamed tool call as OpenAI sends it: the name, then the arguments in pieces of a few characters. Events are numbered. */

const ARGUMENTS = JSON.stringify({
  city: 'Zürich',
  days: 5,
  units: 'metric',
  fields: ['temperature', 'wind', 'rain', 'sunrise', 'sunset'],
  note: 'for a hike, so please be careful with thunderstorms ⛈',
});

export function toolCallStream(): string {
  const deltas: object[] = [
    { role: 'assistant', content: null, tool_calls: [call({ name: 'weather', arguments: '' }, true)] },
    ...[...ARGUMENTS.matchAll(/.{1,4}/gsu)].map(([piece]) => ({ tool_calls: [call({ arguments: piece }, false)] })),
  ];
  const events = deltas.map((delta, i) => event(i, delta, null));
  events.push(event(deltas.length, {}, 'tool_calls'));
  return `${events.join('')}data: [DONE]\n\n`;
}

function call(spec: object, first: boolean): object {
  return first ? { index: 0, id: 'call_bench', type: 'function', function: spec } : { index: 0, function: spec };
}

function event(i: number, delta: object, finish: string | null): string {
  const chunk = {
    id: 'chatcmpl-bench',
    object: 'chat.completion.chunk',
    created: 1_716_288_000,
    model: 'tool-call',
    i,
    choices: [{ index: 0, delta, finish_reason: finish }],
  };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}
