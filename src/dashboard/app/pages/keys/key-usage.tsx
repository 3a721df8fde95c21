/** The days and months of a key. */
import { useState } from 'preact/hooks';
import { getUsage } from '../../api/admin-client.ts';
import type { UsageByPeriod } from '../../api/api-types.ts';
import { formatCompact, formatCount } from '../../format/numbers.ts';
import { shiftDays, utcDay, utcDaysBetween } from '../../format/times.ts';
import { useQuery } from '../../state/use-query.ts';
import { BarPlot } from '../../ui/bar-plot.tsx';
import { Segments } from '../../ui/choice.tsx';
import { Panel } from '../../ui/page.tsx';
import { ScrollRegion } from '../../ui/scroll-region.tsx';
import { Loaded } from '../../ui/states.tsx';

const DAYS = 30;
const REFRESH_MS = 30_000;
const SHOWN = [
  { value: 'tokens', label: 'tokens' },
  { value: 'requests', label: 'requests' },
] as const;
type Shown = (typeof SHOWN)[number]['value'];

export function KeyUsage({ id }: { id: string }) {
  const [shown, setShown] = useState<Shown>('tokens');
  const query = useQuery(`usage ${id}`, (signal) => getUsage({ key_id: id }, signal), { refreshMs: REFRESH_MS });
  return (
    <div class="two-columns wide-left">
      <Panel title="Last 30 days" aside={<Segments label="Shown" options={SHOWN} value={shown} onChange={setShown} />}>
        <Loaded query={query}>{(usage) => <Days usage={usage} shown={shown} />}</Loaded>
      </Panel>
      <Panel title="Months" aside={<span class="muted">UTC</span>}>
        <Loaded query={query}>{(usage) => <Months usage={usage} />}</Loaded>
      </Panel>
    </div>
  );
}

function Days({ usage, shown }: { usage: UsageByPeriod; shown: Shown }) {
  const today = utcDay(Date.now());
  const days = utcDaysBetween(shiftDays(today, 1 - DAYS), today);
  const byDay = new Map(usage.daily.map((row) => [row.date, row]));
  const column = (read: (row: UsageByPeriod['daily'][number]) => number) =>
    days.map((day) => {
      const row = byDay.get(day);
      return row === undefined ? 0 : read(row);
    });
  const series =
    shown === 'requests'
      ? [{ label: 'requests', color: 0, values: column((row) => row.requestCount) }]
      : [
          { label: 'prompt', color: 0, values: column((row) => row.promptTokens) },
          { label: 'completion', color: 1, values: column((row) => row.completionTokens) },
        ];
  const sum = series.reduce((all, { values }) => all + values.reduce((a, b) => a + b, 0), 0);
  return (
    <>
      <BarPlot
        label={`${shown} of the last ${DAYS} days, ${formatCount(sum)} in all`}
        names={days.map((day) => day.slice(5))}
        series={series}
        height={180}
        format={formatCount}
        formatAxis={formatCompact}
      />
      <p class="legend">
        {series.map(({ label, color }) => (
          <span key={label}>
            <span class={`swatch series-${color + 1}`} /> {label}
          </span>
        ))}
      </p>
    </>
  );
}

function Months({ usage }: { usage: UsageByPeriod }) {
  if (usage.monthly.length === 0) return <p class="panel-empty">Nothing used yet.</p>;
  return (
    <ScrollRegion class="scroll-y" label="Months">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Month</th>
            <th scope="col" class="right">
              Requests
            </th>
            <th scope="col" class="right">
              Prompt
            </th>
            <th scope="col" class="right">
              Completion
            </th>
          </tr>
        </thead>
        <tbody>
          {usage.monthly.map((row) => (
            <tr key={row.yearMonth}>
              <th scope="row">{row.yearMonth}</th>
              <td class="right">{formatCount(row.requestCount)}</td>
              <td class="right">{formatCompact(row.promptTokens)}</td>
              <td class="right">{formatCompact(row.completionTokens)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  );
}
