/** Answers that are passed on unread. */
import { CHAT } from './chat.ts';
import { type Format, PING_COMMENT } from './format.ts';

export const OPAQUE: Format = {
  readsEvents: false,
  usageForm: null,
  usageParent: null,
  lastUsageIsFinal: true,
  needles: [Buffer.from('[DONE]')],
  keysThatMatter: [],
  sequenced: false,
  read(event, facts) {
    if (event.isDone) facts.sawTerminal = true;
  },
  breakEvent: CHAT.breakEvent,
  heartbeat: PING_COMMENT,
};
