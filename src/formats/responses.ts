/** OpenAI Responses. */
import { errorCodeOf, lastValueOf, numberAt } from './event-data.ts';
import { BREAK_CODE, BREAK_MESSAGE, bytesOf, eventBytes, type Format, PING_COMMENT } from './format.ts';

const PREFIX = bytesOf('response.');
const COMPLETED = bytesOf('response.completed');
const INCOMPLETE = bytesOf('response.incomplete');
const FAILED = bytesOf('response.failed');
const ERROR = bytesOf('error');

export const SEQUENCE_NUMBER = Buffer.from('"sequence_number"');

export const RESPONSES: Format = {
  readsEvents: true,
  usageForm: 'responses',
  usageParent: bytesOf('response'),
  lastUsageIsFinal: true,
  needles: [COMPLETED, INCOMPLETE, FAILED, ERROR].map((name) => Buffer.from(name)),
  keysThatMatter: [Buffer.from('"usage"')],
  sequenced: true,
  read(event, facts) {
    const { document, json } = event;
    if (json !== null) {
      const at = lastValueOf(json, SEQUENCE_NUMBER);
      if (at >= 0) facts.sequenceNumber = Math.max(facts.sequenceNumber, numberAt(json, at));
    }
    if (document.complete && document.parentUsage.reportsSomething && event.startsWith(PREFIX))
      facts.counts.replaceBy(document.parentUsage);
    const failed = event.is(FAILED);
    const error = event.is(ERROR);
    if (!failed && !error && !event.is(COMPLETED) && !event.is(INCOMPLETE)) return;
    facts.sawTerminal = true;
    facts.contentEnded = true;
    facts.usageIsFinal = facts.counts.reportsSomething;
    // Both spellings of an error event: the reference has the fields at the top, the wire has them under `error`.
    if (error) facts.errorCode ??= errorCodeOf(json, (root) => root.error ?? root) ?? 'upstream_error';
    else if (failed) facts.errorCode ??= errorCodeOf(json, (root) => root.response?.error) ?? 'upstream_error';
  },
  heartbeat: PING_COMMENT,
  breakEvent(nextSequenceNumber) {
    const error = { message: BREAK_MESSAGE, type: 'upstream_error', code: BREAK_CODE, param: null };
    return eventBytes('error', {
      type: 'error',
      code: BREAK_CODE,
      message: BREAK_MESSAGE,
      param: null,
      sequence_number: nextSequenceNumber,
      error,
    });
  },
};

/** A response that was stored, read again: its usage was counted when it was made. */
export const STORED_RESPONSE: Format = { ...RESPONSES, usageForm: null };
