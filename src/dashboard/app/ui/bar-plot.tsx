/** Stacked bars over days or months. */
import uPlot from 'uplot';
import { axisOf, fromZero, Plot } from './plot.tsx';
import type { PlotColors } from './plot-colors.ts';
import { tooltipPlugin } from './plot-tooltip.ts';

export interface BarSeries {
  readonly label: string;
  /** Which of the series colours, from 0 on; null: that for "others". */
  readonly color: number | null;
  /** One value per bar. */
  readonly values: readonly number[];
}

interface BarPlotProps {
  readonly label: string;
  /** What stands under the bars. */
  readonly names: readonly string[];
  /** From the bottom up. */
  readonly series: readonly BarSeries[];
  readonly height: number;
  readonly format: (value: number) => string;
  readonly formatAxis: (value: number) => string;
}

const NAME_SPACE = 64;
const TOOLTIP_ROWS = 9;

export function BarPlot(props: BarPlotProps) {
  const { label, names, series, height } = props;
  return (
    <Plot
      label={label}
      height={height}
      data={stacked(names.length, series)}
      // Names and series belong to the options, unlike in a plot that only grows.
      shape={JSON.stringify([names, series.map((one) => [one.label, one.color]), total(series)])}
      options={(colors) => optionsOf(colors, props)}
    />
  );
}

/** The highest first: each is drawn over the one before, so that its own part stays visible. */
function stacked(length: number, series: readonly BarSeries[]): uPlot.AlignedData {
  const sums = new Array<number>(length).fill(0);
  const columns = series.map(({ values }) => values.map((value, i) => (sums[i] = sums[i]! + value)));
  return [Array.from({ length }, (_, i) => i), ...columns.reverse()];
}

function total(series: readonly BarSeries[]): number {
  return series.reduce((sum, { values }) => sum + values.reduce((a, b) => a + b, 0), 0);
}

function optionsOf(colors: PlotColors, props: BarPlotProps): Omit<uPlot.Options, 'width' | 'height'> {
  const { names, series, format, formatAxis } = props;
  const colorOf = (one: BarSeries) => (one.color === null ? colors.other : colors.series[one.color]!);
  const bars = uPlot.paths.bars!({ size: [0.72, 48], gap: 0 });
  return {
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
    padding: [8, 8, 0, 0],
    scales: {
      x: { time: false, range: () => [-0.5, names.length - 0.5] },
      y: { range: fromZero },
    },
    axes: [
      axisOf(colors, {
        size: 26,
        grid: { show: false },
        splits: (plot) => splitsFor(names.length, plot.width),
        values: (_, splits) => splits.map((i) => names[i] ?? ''),
      }),
      axisOf(colors, { size: 52, space: 32, values: (_, values) => values.map((value) => formatAxis(value)) }),
    ],
    series: [
      {},
      ...[...series].reverse().map((one) => ({
        label: one.label,
        fill: colorOf(one),
        width: 0,
        paths: bars,
        points: { show: false },
      })),
    ],
    plugins: [
      tooltipPlugin((index) => {
        const rows = [...series]
          .reverse()
          .filter(({ values }) => (values[index] ?? 0) > 0)
          .map((one) => ({ label: one.label, color: colorOf(one), value: format(one.values[index]!) }));
        const sum = series.reduce((all, { values }) => all + (values[index] ?? 0), 0);
        const title = `${names[index] ?? ''}  ${format(sum)}`;
        return { title, rows: series.length > 1 ? rows.slice(0, TOOLTIP_ROWS) : [] };
      }),
    ],
  };
}

/** As many names as fit. */
function splitsFor(length: number, width: number): number[] {
  const step = Math.max(1, Math.ceil((length * NAME_SPACE) / Math.max(width - 60, NAME_SPACE)));
  const splits: number[] = [];
  for (let i = 0; i < length; i += step) splits.push(i);
  return splits;
}
