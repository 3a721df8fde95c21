/** What was used when, by whom and of what: a plot of the steps and a table of the totals. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { isApiError } from '../../api/admin-client.ts';
import { formatCompact, formatCount, formatShare } from '../../format/numbers.ts';
import { keyDirectory, wantKeys } from '../../state/key-directory.ts';
import { notify } from '../../state/notices.ts';
import { useAddress } from '../../state/router.ts';
import { useSharedState } from '../../state/shared-state.ts';
import { useQuery } from '../../state/use-query.ts';
import { BarPlot, type BarSeries } from '../../ui/bar-plot.tsx';
import { Button } from '../../ui/button.tsx';
import { Page, Panel } from '../../ui/page.tsx';
import { Empty, Loaded } from '../../ui/states.tsx';
import { groupLabel } from './group-label.ts';
import { downloadUsage } from './usage-csv.ts';
import { loadUsage, type UsageData } from './usage-data.ts';
import { UsageTable } from './usage-table.tsx';
import { UsageToolbar } from './usage-toolbar.tsx';
import { MEASURES, readUsageView, type UsageView } from './usage-view.ts';

const REFRESH_MS = 60_000;
const PLOT_HEIGHT = 280;

export function UsagePage() {
  const { query: parameters } = useAddress();
  useSharedState(keyDirectory);
  useEffect(wantKeys, []);
  const view = useMemo(() => readUsageView(parameters, Date.now()), [parameters]);
  const query = useQuery(JSON.stringify(view), (signal) => loadUsage(view, signal), {
    refreshMs: REFRESH_MS,
    keepData: true,
  });
  return (
    <Page title="Usage" actions={<CsvButton view={view} groupCount={query.data?.groups.length ?? 0} />}>
      <UsageToolbar view={view} />
      <div class={query.loading && query.data ? 'usage renewing' : 'usage'}>
        <Loaded query={query} rows={10}>
          {(data) => <Usage data={data} />}
        </Loaded>
      </div>
    </Page>
  );
}

function Usage({ data }: { data: UsageData }) {
  const { view } = data;
  if (data.total.requests === 0) {
    return (
      <Empty title="Nothing was used in this time">
        <p>
          {view.from} to {view.to}, UTC.
        </p>
      </Empty>
    );
  }
  const measure = MEASURES.find(({ value }) => value === view.measure)!;
  const series = seriesOf(data);
  return (
    <>
      <Totals data={data} />
      <Panel
        title={`${measure.label} by ${view.step}`}
        aside={
          <span class="muted">
            {view.from} to {view.to}, UTC
          </span>
        }
      >
        <BarPlot
          label={`${measure.label} by ${view.step}, ${formatCount(data.total[view.measure])} in all`}
          names={view.step === 'day' ? data.periods.map((day) => day.slice(5)) : data.periods}
          series={series}
          height={PLOT_HEIGHT}
          format={formatCount}
          formatAxis={formatCompact}
        />
        {view.split !== '' && (
          <p class="legend">
            {series.map((one) => (
              <span key={one.label}>
                <span class={`swatch ${one.color === null ? 'series-other' : `series-${one.color + 1}`}`} /> {one.label}
              </span>
            ))}
          </p>
        )}
      </Panel>
      <UsageTable data={data} />
    </>
  );
}

function Totals({ data: { total } }: { data: UsageData }) {
  const tiles: readonly (readonly [string, number, string])[] = [
    ['Requests', total.requests, ''],
    ['Errors', total.errors, formatShare(total.errors, total.requests)],
    ['Prompt tokens', total.prompt_tokens, ''],
    ['of these cached', total.cached_tokens, formatShare(total.cached_tokens, total.prompt_tokens)],
    ['Completion tokens', total.completion_tokens, ''],
    ['of these reasoning', total.reasoning_tokens, formatShare(total.reasoning_tokens, total.completion_tokens)],
    ['Total tokens', total.total_tokens, ''],
  ];
  return (
    <section class="tiles" aria-label="Totals">
      {tiles.map(([title, value, note]) => (
        <div key={title} class="tile">
          <h2 class="tile-title">{title}</h2>
          <p class="tile-value" title={formatCount(value)}>
            <strong>{formatCompact(value)}</strong> <span class="muted">{note}</span>
          </p>
        </div>
      ))}
    </section>
  );
}

function CsvButton({ view, groupCount }: { view: UsageView; groupCount: number }) {
  const [busy, setBusy] = useState(false);
  const save = async () => {
    setBusy(true);
    try {
      await downloadUsage(view, groupCount, (group) => groupLabel(group, view.split));
    } catch (error) {
      notify(isApiError(error) ? error.message : String(error), true);
    }
    setBusy(false);
  };
  return (
    <Button icon="download" busy={busy} disabled={groupCount === 0} onPress={() => void save()}>
      CSV
    </Button>
  );
}

function seriesOf(data: UsageData): BarSeries[] {
  const { view } = data;
  if (view.split === '') return [{ label: 'all', color: 0, values: data.series[0]!.values }];
  return data.series.map(({ group, values }, i) =>
    group === undefined
      ? { label: 'others', color: null, values }
      : { label: groupLabel(group, view.split), color: i, values },
  );
}
