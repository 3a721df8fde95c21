/** OpenAI chat completions; embeddings report their usage in the same place. */
import { errorCodeOf, find, isVoid, lastValueOf } from './event-data.ts';
import { BREAK_CODE, BREAK_MESSAGE, eventBytes, type Format, PING_COMMENT } from './format.ts';

const FINISH_REASON = Buffer.from('"finish_reason"');
const ERROR = Buffer.from('"error"');

/** Built once: a broken upstream may mean thousands of interrupted streams at the same moment. */
const BREAK_EVENT = eventBytes(null, { error: { message: BREAK_MESSAGE, type: 'upstream_error', code: BREAK_CODE } });

export const CHAT: Format = {
  readsEvents: true,
  usageForm: 'openai',
  usageParent: null,
  lastUsageIsFinal: true,
  needles: [Buffer.from('[DONE]'), ERROR],
  keysThatMatter: [Buffer.from('"usage"'), FINISH_REASON],
  sequenced: false,
  read(event, facts) {
    if (event.isDone) {
      facts.sawTerminal = true;
      facts.usageIsFinal = facts.counts.reportsSomething;
      return;
    }
    const { document, json } = event;
    const finish = json === null ? -1 : lastValueOf(json, FINISH_REASON);
    if (json === null || finish >= 0) {
      // What is too long to be looked at is content; and of several choices one may have ended before another.
      facts.contentEnded = json !== null && !isVoid(json, finish);
      facts.usageIsFinal = false;
    }
    if (!document.complete) return;
    if (document.rootUsage.reportsSomething) {
      facts.counts.replaceBy(document.rootUsage);
      facts.usageIsFinal = facts.contentEnded;
    }
    if (json !== null && find(json, ERROR, 0) >= 0) {
      // Some servers send the error itself, an object of that name.
      const code = errorCodeOf(json, (root) => root.error ?? (root.object === 'error' ? root : null));
      if (code === null) return;
      // SDKs raise it at once: for them the stream is over.
      facts.errorCode ??= code;
      facts.sawTerminal = true;
    }
  },
  breakEvent: () => BREAK_EVENT,
  heartbeat: PING_COMMENT,
};
