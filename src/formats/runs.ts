/** Runs of OpenAI's assistants. A stream is one run: its last state has the usage of all its steps, then comes `[DONE]`. */
import { CHAT } from './chat.ts';
import { errorCodeOf } from './event-data.ts';
import { bytesOf, type Format, PING_COMMENT } from './format.ts';

const FAILED = bytesOf('thread.run.failed');
/** States after which a run does nothing more, or waits for the client (which continues it with another request). */
const LAST_STATES = [
  ...['completed', 'incomplete', 'cancelled', 'expired', 'requires_action'].map((state) =>
    bytesOf(`thread.run.${state}`),
  ),
  FAILED,
];
const ERROR = bytesOf('error');
const DONE = Buffer.from('[DONE]');

export const RUNS: Format = {
  readsEvents: true,
  usageForm: 'openai',
  usageParent: null,
  lastUsageIsFinal: false,
  needles: [...LAST_STATES, ERROR, DONE].map((name) => Buffer.from(name)),
  keysThatMatter: [],
  sequenced: false,
  read(event, facts) {
    const { document, json } = event;
    if (event.isDone) {
      facts.sawTerminal = true;
      facts.contentEnded = true;
    } else if (LAST_STATES.some((state) => event.is(state))) {
      facts.contentEnded = true;
      if (document.complete && document.rootUsage.reportsSomething) {
        facts.counts.replaceBy(document.rootUsage);
        facts.usageIsFinal = true;
      }
      if (event.is(FAILED)) facts.errorCode ??= errorCodeOf(json, (root) => root.last_error) ?? 'upstream_error';
    } else if (event.is(ERROR)) {
      facts.sawTerminal = true;
      facts.errorCode ??= errorCodeOf(json, (root) => root.error ?? root) ?? 'upstream_error';
    }
  },
  breakEvent: CHAT.breakEvent,
  heartbeat: PING_COMMENT,
};
