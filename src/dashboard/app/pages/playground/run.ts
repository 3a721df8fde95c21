/** One run of the playground: what came of it so far. Collects while it comes, and is drawn a few times a second. */
import { isApiError } from '../../api/admin-client.ts';
import { SharedState } from '../../state/shared-state.ts';
import { newRequestId, type ReceivedEvent, stream } from './client-api.ts';
import { readEvent, type TokenCounts } from './event-content.ts';
import type { ApiName, Prompt } from './prompt.ts';

export interface RunState {
  /** In whose form the events are. */
  readonly api: ApiName;
  readonly phase: 'idle' | 'sending' | 'streaming' | 'done' | 'stopped' | 'failed';
  readonly error: string | null;
  readonly status: number | null;
  readonly latencyMs: string | null;
  readonly requestId: string | null;
  readonly headMs: number | null;
  readonly firstEventMs: number | null;
  readonly endMs: number | null;
  readonly text: string;
  readonly events: readonly ReceivedEvent[];
  /** Of all events, also those that are no longer in `events`. */
  readonly eventCount: number;
  readonly tokens: TokenCounts;
}

const IDLE: RunState = {
  api: 'chat',
  phase: 'idle',
  error: null,
  status: null,
  latencyMs: null,
  requestId: null,
  headMs: null,
  firstEventMs: null,
  endMs: null,
  text: '',
  events: [],
  eventCount: 0,
  tokens: { prompt: null, completion: null, total: null },
};

/** Of a longer stream the first events are kept, and the text in full. */
const EVENTS_MAX = 5_000;

export class PlaygroundRun {
  readonly state = new SharedState<RunState>(IDLE);
  #abort: AbortController | null = null;
  #collected: RunState = IDLE;
  #frame = 0;

  async start(prompt: Prompt, key: string): Promise<void> {
    this.stop();
    const abort = new AbortController();
    this.#abort = abort;
    const events: ReceivedEvent[] = [];
    const startedAtMs = performance.now();
    const requestId = newRequestId();
    this.#change({ ...IDLE, api: prompt.api, phase: 'sending', events, requestId });
    try {
      await stream(
        prompt,
        key,
        requestId,
        {
          head: ({ status, atMs, latencyMs }) => this.#change({ phase: 'streaming', status, latencyMs, headMs: atMs }),
          event: (event) => {
            const { text, tokens, error } = readEvent(prompt.api, event.data);
            if (events.length < EVENTS_MAX) events.push(event);
            const { firstEventMs, eventCount, text: before, tokens: known } = this.#collected;
            this.#change({
              firstEventMs: firstEventMs ?? event.atMs,
              eventCount: eventCount + 1,
              text: before + text,
              ...(tokens === null ? {} : { tokens: { ...known, ...tokens } }),
              ...(error === null ? {} : { error }),
            });
          },
        },
        abort.signal,
      );
      this.#end(abort, this.#collected.error === null ? 'done' : 'failed', startedAtMs);
    } catch (error) {
      if (abort.signal.aborted) return this.#end(abort, 'stopped', startedAtMs);
      const message = isApiError(error) ? error.message : 'The stream broke off before its end.';
      this.#change({ error: message });
      this.#end(abort, 'failed', startedAtMs);
    }
  }

  /** As a client that leaves. */
  stop(): void {
    this.#abort?.abort();
  }

  #end(abort: AbortController, phase: RunState['phase'], startedAtMs: number): void {
    // Another run may have begun meanwhile.
    if (this.#abort !== abort) return;
    this.#change({ phase, endMs: performance.now() - startedAtMs });
    this.#abort = null;
    this.#show();
  }

  #change(change: Partial<RunState>): void {
    this.#collected = { ...this.#collected, ...change };
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => this.#show());
  }

  #show(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.state.set({ ...this.#collected });
  }
}
