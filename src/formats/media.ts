/**
 * OpenAI's audio and images. A stream of either ends with one event that has the usage, and there need not be a `[DONE]`; an
 * answer in one piece has the usage at its root, in the names of the Responses API.
 */
import { CHAT } from './chat.ts';
import { errorCodeOf, hasKey } from './event-data.ts';
import { bytesOf, type Format, PING_COMMENT } from './format.ts';

const ERROR = bytesOf('error');
const ERROR_KEY = Buffer.from('"error"');
const DONE = Buffer.from('[DONE]');

export const AUDIO = mediaFormat(['speech.audio.done', 'transcript.text.done']);
export const IMAGES = mediaFormat(['image_generation.completed', 'image_edit.completed']);

/** @param lastEvents the names of the events that end a stream */
function mediaFormat(lastEvents: readonly string[]): Format {
  const last = lastEvents.map(bytesOf);
  return {
    readsEvents: true,
    usageForm: 'responses',
    usageParent: null,
    lastUsageIsFinal: true,
    needles: [...last, ERROR, DONE].map((bytes) => Buffer.from(bytes)),
    keysThatMatter: [Buffer.from('"usage"')],
    sequenced: false,
    read(event, facts) {
      const { document, json } = event;
      if (document.complete && document.rootUsage.reportsSomething) facts.counts.replaceBy(document.rootUsage);
      if (event.isDone || last.some((each) => event.is(each))) {
        facts.sawTerminal = true;
        facts.contentEnded = true;
        facts.usageIsFinal = facts.counts.reportsSomething;
        return;
      }
      const isError = event.is(ERROR);
      if (!isError && (json === null || !hasKey(json, ERROR_KEY))) return;
      const code = errorCodeOf(json, (root) => root.error ?? (isError ? root : undefined));
      if (code === null) return;
      // SDKs raise it at once: for them the stream is over.
      facts.errorCode ??= code;
      facts.sawTerminal = true;
    },
    breakEvent: CHAT.breakEvent,
    heartbeat: PING_COMMENT,
  };
}
