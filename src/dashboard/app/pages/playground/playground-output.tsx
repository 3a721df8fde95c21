import { useState } from 'preact/hooks';
import { formatCount, formatDecimal, formatMs, NOTHING } from '../../format/numbers.ts';
import { StatusCode } from '../../ui/badge.tsx';
import { Segments } from '../../ui/choice.tsx';
import { CodeBlock } from '../../ui/code-block.tsx';
import { ScrollRegion } from '../../ui/scroll-region.tsx';
import { ErrorNote } from '../../ui/states.tsx';
import type { ReceivedEvent } from './client-api.ts';
import { codeSamples } from './code-samples.ts';
import { EventList } from './event-list.tsx';
import type { Prompt } from './prompt.ts';
import type { RunState } from './run.ts';

const VIEWS = [
  { value: 'text', label: 'Text' },
  { value: 'events', label: 'Events' },
  { value: 'code', label: 'Code' },
] as const;
type View = (typeof VIEWS)[number]['value'];

const PHASES: Readonly<Record<RunState['phase'], string>> = {
  idle: '',
  sending: 'Sent, waiting for the head…',
  streaming: 'Streaming…',
  done: 'Complete. ',
  stopped: 'Stopped by you. ',
  failed: 'Failed. ',
};

export function PlaygroundOutput({ state, prompt }: { state: RunState; prompt: Prompt }) {
  const [view, setView] = useState<View>('text');
  return (
    <section class="panel playground-output" aria-label="Answer">
      <header class="panel-header">
        <Segments label="View" options={VIEWS} value={view} onChange={setView} />
        <span class="muted" role="status">
          {PHASES[state.phase]}
          {state.endMs !== null && state.requestId !== null && (
            <a href={`/dashboard/request?request_id=${encodeURIComponent(state.requestId)}`}>See its record</a>
          )}
        </span>
      </header>
      <Numbers state={state} />
      {state.error !== null && <ErrorNote>{state.error}</ErrorNote>}
      {view === 'text' && <Text state={state} />}
      {view === 'events' && <EventList api={state.api} events={state.events} count={state.eventCount} />}
      {view === 'code' && (
        <div class="playground-code">
          {codeSamples(prompt, location.origin).map(({ label, text }) => (
            <CodeBlock key={label} label={label} text={text} />
          ))}
        </div>
      )}
    </section>
  );
}

function Numbers({ state }: { state: RunState }) {
  const { status, headMs, firstEventMs, endMs, eventCount, tokens, latencyMs, events } = state;
  const numbers: readonly (readonly [string, preact.ComponentChildren])[] = [
    ['Status', status === null ? NOTHING : <StatusCode status={status} />],
    ['Head', formatMs(headMs)],
    ['First event', formatMs(firstEventMs)],
    ['Duration', formatMs(endMs)],
    ['Events', formatCount(eventCount)],
    ['Longest gap', formatMs(longestGap(events))],
    ['Tokens in / out', `${formatCount(tokens.prompt)} / ${formatCount(tokens.completion)}`],
    ['Tokens/s', tokenRate(state)],
    ['X-BVE-Latency', latencyMs === null ? NOTHING : `${latencyMs} ms`],
  ];
  return (
    <dl class="numbers">
      {numbers.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Text({ state }: { state: RunState }) {
  if (state.text === '') {
    return (
      <p class="panel-empty">{state.phase === 'idle' ? 'The answer appears here as it arrives.' : 'No text yet.'}</p>
    );
  }
  return (
    <ScrollRegion class="answer-text" label="Text of the answer">
      {state.text}
    </ScrollRegion>
  );
}

function longestGap(events: readonly ReceivedEvent[]): number | null {
  if (events.length < 2) return null;
  let longest = 0;
  for (let i = 1; i < events.length; i++) longest = Math.max(longest, events[i]!.atMs - events[i - 1]!.atMs);
  return longest;
}

function tokenRate({ tokens, firstEventMs, endMs }: RunState): string {
  if (tokens.completion === null || firstEventMs === null || endMs === null || endMs - firstEventMs < 1) return NOTHING;
  return formatDecimal((tokens.completion / (endMs - firstEventMs)) * 1000);
}
