/** Anthropic Messages. */
import { errorCodeOf, isVoid, lastValueOf } from './event-data.ts';
import { BREAK_CODE, BREAK_MESSAGE, bytesOf, eventBytes, type Format } from './format.ts';

const START = bytesOf('message_start');
const DELTA = bytesOf('message_delta');
const STOP = bytesOf('message_stop');
const ERROR = bytesOf('error');
const STOP_REASON = Buffer.from('"stop_reason"');

const BREAK_EVENT = eventBytes('error', {
  type: 'error',
  error: { type: 'api_error', message: BREAK_MESSAGE, code: BREAK_CODE },
});

/** In the form in which Anthropic sends it itself. */
const PING_EVENT = bytesOf('event: ping\ndata: {"type": "ping"}\n\n');

export const MESSAGES: Format = {
  readsEvents: true,
  usageForm: 'anthropic',
  usageParent: bytesOf('message'),
  lastUsageIsFinal: false,
  // Usage is read from events of these names only, and `content_block_…`, which most are, is none of them.
  needles: [Buffer.from('message_'), Buffer.from(ERROR)],
  keysThatMatter: [],
  sequenced: false,
  read(event, facts) {
    const { document, json } = event;
    const { counts } = facts;
    if (document.complete && document.parentUsage.reportsSomething && event.is(START))
      counts.replaceBy(document.parentUsage);
    if (document.complete && event.is(DELTA)) {
      const stop = json === null ? -1 : lastValueOf(json, STOP_REASON);
      if (stop >= 0 && !isVoid(json!, stop)) facts.contentEnded = true;
      if (document.rootUsage.reportsSomething) {
        // Counts are cumulative: a later one stands for the earlier, and a delta may carry only some.
        counts.overlayBy(document.rootUsage);
        facts.usageIsFinal = true;
      }
    }
    if (event.is(STOP)) {
      facts.sawTerminal = true;
      facts.contentEnded = true;
      if (document.complete) facts.usageIsFinal = true;
    } else if (event.is(ERROR)) {
      facts.sawTerminal = true;
      facts.errorCode ??= errorCodeOf(json, (root) => root.error) ?? 'upstream_error';
    }
  },
  breakEvent: () => BREAK_EVENT,
  heartbeat: PING_EVENT,
};
