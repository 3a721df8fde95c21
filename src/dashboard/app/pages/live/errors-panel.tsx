/** How many errors of each code the last ten seconds saw, over time and now, the most frequent first. */
import { formatCount } from '../../format/numbers.ts';
import { Panel } from '../../ui/page.tsx';
import { type Line, TimePlot } from '../../ui/time-plot.tsx';
import { liveHistory } from './live-data.ts';

/** As many as can be told apart. */
const CODES_SHOWN = 4;
const HEIGHT = 96;
/** Red first: it is the plot of errors. */
const COLORS = [6, 2, 3, 1];

export function ErrorsPanel({ errors, seconds }: { errors: Readonly<Record<string, number>>; seconds: number }) {
  const rows = Object.entries(errors)
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1]);
  const codes = liveHistory.errorCodes(seconds).slice(0, CODES_SHOWN);
  const lines = codes.map((code, i): Line => ({ label: code, color: COLORS[i]! }));
  const total = rows.reduce((sum, [, count]) => sum + count, 0);
  const others = total - codes.reduce((sum, code) => sum + (errors[code] ?? 0), 0);
  return (
    <Panel title="Errors by code" aside={<span class="muted">{formatCount(total)} in the last 10 s</span>}>
      {codes.length === 0 ? (
        <p class="panel-empty">None in the time shown.</p>
      ) : (
        <>
          <TimePlot
            label={`Errors by code: ${rows.map(([code, count]) => `${code} ${count}`).join(', ') || 'none now'}`}
            lines={lines}
            data={liveHistory.errorTail(seconds, codes)}
            seconds={seconds}
            height={HEIGHT}
            format={formatCount}
          />
          <ul class="error-codes">
            {lines.map(({ label, color }) => (
              <li key={label}>
                <span class={`swatch series-${color + 1}`} />
                <a href="/dashboard/requests?finish=error">{label}</a>
                <strong>{formatCount(errors[label] ?? 0)}</strong>
              </li>
            ))}
            {others > 0 && (
              <li>
                <span class="swatch" />
                others
                <strong>{formatCount(others)}</strong>
              </li>
            )}
          </ul>
        </>
      )}
    </Panel>
  );
}
