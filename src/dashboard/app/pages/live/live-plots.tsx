import type { LiveSnapshot } from '../../api/api-types.ts';
import { formatCompact, formatMs } from '../../format/numbers.ts';
import { Panel } from '../../ui/page.tsx';
import { type Line, TimePlot } from '../../ui/time-plot.tsx';
import { liveHistory } from './live-data.ts';
import { errorCount, type LiveColumn } from './live-history.ts';

interface LivePlot {
  readonly title: string;
  readonly columns: readonly LiveColumn[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** The current values, in the order of the lines. */
  readonly values: (snapshot: LiveSnapshot) => readonly (number | null)[];
}

const PLOTS: readonly LivePlot[] = [
  {
    title: 'Requests per second',
    columns: ['requests'],
    lines: [{ label: 'requests/s', color: 0, filled: true }],
    format: formatCompact,
    values: (snapshot) => [snapshot.requests_per_s],
  },
  {
    title: 'Open streams',
    columns: ['streams', 'inFlight'],
    lines: [
      { label: 'streams', color: 0, filled: true },
      { label: 'in flight', color: 2 },
    ],
    format: formatCompact,
    values: (snapshot) => [snapshot.streams, snapshot.in_flight],
  },
  {
    title: 'Time to first byte',
    columns: ['p50', 'p95', 'p99'],
    lines: [
      { label: 'p50', color: 0 },
      { label: 'p95', color: 1 },
      { label: 'p99', color: 2 },
    ],
    format: formatMs,
    values: ({ ttfb_ms }) => [ttfb_ms.p50, ttfb_ms.p95, ttfb_ms.p99],
  },
  {
    title: 'Tokens per second',
    columns: ['tokens'],
    lines: [{ label: 'tokens/s', color: 0, filled: true }],
    format: formatCompact,
    values: (snapshot) => [snapshot.tokens_per_s],
  },
];

const HEIGHT = 132;

/** Drawn once a second, with each snapshot. */
export function LivePlots({ seconds, snapshot }: { seconds: number; snapshot: LiveSnapshot }) {
  return (
    <div class="live-plots">
      {PLOTS.map((plot) => {
        const values = plot.values(snapshot);
        const current = plot.lines.map((line, i) => ({ line, value: values[i] ?? null }));
        return (
          <Panel key={plot.title} title={plot.title} aside={<Current plot={plot} current={current} />}>
            <TimePlot
              label={`${plot.title}: ${current.map(({ line, value }) => `${line.label} ${text(plot, value)}`).join(', ')}`}
              lines={plot.lines}
              data={liveHistory.tail(seconds, plot.columns)}
              seconds={seconds}
              height={HEIGHT}
              format={plot.format}
            />
          </Panel>
        );
      })}
      <p class="off-screen">
        {errorCount(snapshot)} errors in the last ten seconds, {snapshot.in_flight} requests in flight.
      </p>
    </div>
  );
}

function Current({ plot, current }: { plot: LivePlot; current: readonly { line: Line; value: number | null }[] }) {
  return (
    <span class="line-values">
      {current.map(({ line, value }) => (
        <span key={line.label} class="line-value">
          {current.length > 1 && (
            <>
              <span class={`swatch series-${line.color + 1}`} />
              {line.label}{' '}
            </>
          )}
          <strong>{text(plot, value)}</strong>
        </span>
      ))}
    </span>
  );
}

function text(plot: LivePlot, value: number | null): string {
  return value === null ? '–' : plot.format(value);
}
