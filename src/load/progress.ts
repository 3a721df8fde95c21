/** The progress line on the terminal, rewritten every second. */

import { nowUs } from './clock.ts';
import { countText, durationText } from './duration-text.ts';
import type { Load } from './load.ts';
import type { Distribution } from './statistics.ts';

const EVERY_MS = 1_000;
/** The line covers the latest values only: sorting millions each second would be load of its own. */
const VALUES_MAX = 10_000;

/** Returns a function that removes the line. */
export function showProgress(
  load: Load,
  terminal: { write(text: string): unknown; readonly columns?: number },
  distributionOf: (values: Float64Array) => Distribution,
): () => void {
  const timer = setInterval(() => {
    terminal.write(`\r\x1b[2K${progressLine(load, distributionOf).slice(0, (terminal.columns ?? 120) - 1)}`);
  }, EVERY_MS);
  return () => {
    clearInterval(timer);
    terminal.write('\r\x1b[2K');
  };
}

function progressLine(load: Load, distributionOf: (values: Float64Array) => Distribution): string {
  const { tally, ownLoad, startUs, endUs } = load;
  const nowS = (nowUs() - startUs) / 1e6;
  const totalS = (endUs - startUs) / 1e6;
  const values = tally.ttfbUs.values();
  const recent = distributionOf(values.subarray(Math.max(0, values.length - VALUES_MAX)));
  const parts = [
    nowS < totalS ? `${nowS.toFixed(0)}/${totalS.toFixed(0)} s` : 'draining',
    `open ${countText(load.openStreams)}`,
    `done ${countText(tally.completed)}`,
    `failed ${countText(tally.failed)}`,
    `dropped ${countText(tally.dropped)}`,
    `ttfb p50 ${durationText(recent.p50)} p99 ${durationText(recent.p99)}`,
    `lag ${durationText(ownLoad.lastLagUs)}`,
  ];
  return parts.join('  ');
}
