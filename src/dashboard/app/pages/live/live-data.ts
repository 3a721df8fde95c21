/** What the live page shows, kept while other pages are visited: it is closed half a minute after it was last looked at. */

import { adminSession } from '../../api/admin-session.ts';
import type { LiveSnapshot } from '../../api/api-types.ts';
import { SharedState } from '../../state/shared-state.ts';
import { LiveHistory } from './live-history.ts';
import { LiveStream } from './live-stream.ts';
import { RequestFeed } from './request-feed.ts';

const CLOSE_AFTER_MS = 30_000;

export const liveHistory = new LiveHistory();
export const requestFeed = new RequestFeed();
export const lastSnapshot = new SharedState<LiveSnapshot | null>(null);
export const liveStream = new LiveStream({
  snapshot(snapshot) {
    liveHistory.add(snapshot);
    lastSnapshot.set(snapshot);
  },
  request: (record) => requestFeed.add(record),
  dropped: (count) => requestFeed.dropped(count),
});

let closing: ReturnType<typeof setTimeout> | undefined;

export function watchLive(): () => void {
  clearTimeout(closing);
  liveStream.open();
  return () => {
    closing = setTimeout(() => liveStream.close(), CLOSE_AFTER_MS);
  };
}

adminSession.subscribe(() => {
  if (adminSession.value.key !== null) return;
  liveStream.close();
  liveHistory.clear();
  requestFeed.clear();
  lastSnapshot.set(null);
});
