/** The live view's events: each record once, and a bounded amount for a viewer that does not read. */
import { describe, expect, test } from 'bun:test';
import { LiveFeed } from '../../src/admin/live-feed.ts';
import { GatewayError } from '../../src/errors.ts';
import { LiveWindow } from '../../src/observe/live-window.ts';
import { usageRecord } from '../store/temp-database.ts';

interface Told {
  readonly name: string;
  readonly data: { id?: string; count?: number; in_flight?: number };
}

function feed(): LiveFeed {
  return new LiveFeed({ window: new LiveWindow(), inFlight: () => 3, streams: () => 2, targets: () => [] });
}

/** Reads until a condition holds, or the stream ends. */
async function readUntil(response: Response, done: (told: readonly Told[]) => boolean): Promise<Told[]> {
  let text = '';
  let told: Told[] = [];
  const decoder = new TextDecoder();
  for await (const bytes of response.body!) {
    text += decoder.decode(bytes, { stream: true });
    told = eventsOf(text);
    if (done(told)) break;
  }
  return told;
}

function eventsOf(text: string): Told[] {
  return text
    .split('\n\n')
    .slice(0, -1)
    .map((event) => {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(event)!;
      return { name: name!, data: JSON.parse(data!) };
    });
}

const records = (told: readonly Told[]) => told.filter(({ name }) => name === 'request').map(({ data }) => data.id);
const droppedOf = (told: readonly Told[]) =>
  told.filter(({ name }) => name === 'dropped').reduce((sum, { data }) => sum + data.count!, 0);

describe('the live feed', () => {
  test('begins with a snapshot, and tells every viewer of each record', async () => {
    const live = feed();
    live.record(usageRecord({ id: 'before' }));
    const views = [live.open(), live.open()];
    for (let i = 0; i < 300; i++) live.record(usageRecord({ id: `r${i}` }));
    for (const view of views) {
      const told = await readUntil(view, (sofar) => records(sofar).length >= 300);
      expect(told[0]).toMatchObject({ name: 'snapshot', data: { in_flight: 3, streams: 2, ttfb_ms: { p50: null } } });
      expect(records(told)).toEqual(Array.from({ length: 300 }, (_, i) => `r${i}`));
    }
    live.close();
  });

  test('holds a bounded amount for a viewer that does not read, and tells it how many records it missed', async () => {
    const live = feed();
    const view = live.open();
    for (let i = 0; i < 20_000; i++) live.record(usageRecord({ id: `r${i}` }));
    const told = await readUntil(view, (sofar) => droppedOf(sofar) > 0);
    const seen = records(told).length;
    expect(seen).toBeGreaterThan(100);
    expect(seen).toBeLessThan(2_000);
    // A batch may still wait for its timer.
    live.close();
    expect(20_000 - seen - droppedOf(told)).toBeLessThan(100);
  });

  test('forgets a viewer that left, and lets in a bounded number', async () => {
    const live = feed();
    const views = Array.from({ length: 32 }, () => live.open());
    expect(() => live.open()).toThrow(GatewayError);
    await views[0]!.body!.cancel();
    live.open();
    expect(() => live.open()).toThrow('32 live views are open already');
    live.close();
  });

  test('ends its views when it is closed', async () => {
    const live = feed();
    const view = live.open();
    live.record(usageRecord({ id: 'last' }));
    live.close();
    expect(records(eventsOf(await view.text()))).toEqual(['last']);
    expect(() => live.open()).toThrow('shutting down');
  });
});
