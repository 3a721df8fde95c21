/** Lines over the last minutes, for what moves. */
import type uPlot from 'uplot';
import { formatTime } from '../format/times.ts';
import { axisOf, fromZero, Plot } from './plot.tsx';
import { faded, type PlotColors } from './plot-colors.ts';
import { tooltipPlugin } from './plot-tooltip.ts';

export interface Line {
  readonly label: string;
  /** Which of the series colours, from 0 on. */
  readonly color: number;
  /** Fills the area below. */
  readonly filled?: boolean;
}

interface TimePlotProps {
  readonly label: string;
  readonly lines: readonly Line[];
  /** Times in seconds, then a column per line. */
  readonly data: uPlot.AlignedData;
  readonly seconds: number;
  readonly height: number;
  readonly format: (value: number) => string;
}

/** Plots of one page show the pointer's moment together. */
const CURSOR_GROUP = 'live';
const SHORTEST_S = 60;

export function TimePlot({ label, lines, data, seconds, height, format }: TimePlotProps) {
  return (
    <Plot
      label={label}
      height={height}
      data={data}
      shape={`${seconds} ${lines.map((line) => line.label).join()}`}
      options={(colors) => optionsOf(colors, lines, seconds, format)}
    />
  );
}

function optionsOf(
  colors: PlotColors,
  lines: readonly Line[],
  seconds: number,
  format: (value: number) => string,
): Omit<uPlot.Options, 'width' | 'height'> {
  let shown: uPlot | null = null;
  return {
    legend: { show: false },
    cursor: { sync: { key: CURSOR_GROUP }, drag: { x: false, y: false }, points: { size: 6 }, y: false },
    padding: [8, 8, 0, 0],
    scales: {
      x: { range: (plot) => windowOf(plot, seconds) },
      y: { range: fromZero },
    },
    axes: [
      axisOf(colors, {
        size: 24,
        space: 70,
        grid: { show: false },
        values: (plot, times, _axis, _space, stepS) =>
          times.map((s) => {
            const text = formatTime(s * 1000);
            return fits(plot, s) ? (stepS < 60 ? text : text.slice(0, 5)) : '';
          }),
      }),
      axisOf(colors, { size: 54, space: 28, values: (_, values) => withoutRepeated(values.map(format)) }),
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: colors.series[line.color]!,
        width: 1.5,
        points: { show: false },
        ...(line.filled ? { fill: faded(colors.series[line.color]!, 0.12) } : {}),
      })),
    ],
    hooks: {
      init: [
        (plot) => {
          shown = plot;
        },
      ],
    },
    plugins: [
      tooltipPlugin((index) => ({
        title: formatTime((shown?.data[0][index] ?? 0) * 1000),
        rows: lines.map((line, i) => {
          const value = shown?.data[i + 1]?.[index];
          return {
            label: line.label,
            color: colors.series[line.color]!,
            value: value === null || value === undefined ? 'no data' : format(value),
          };
        }),
      })),
    ],
  };
}

/** Half of a label is to the right of its moment; there the card ends. */
const HALF_LABEL_PX = 26;

function fits(plot: uPlot, timeS: number): boolean {
  return plot.valToPos(timeS, 'x') <= plot.width - (plot.bbox.left / devicePixelRatio + HALF_LABEL_PX);
}

/** Of small counts two lines may be called the same; the upper one is what it is called. */
function withoutRepeated(labels: readonly string[]): string[] {
  return labels.map((label, i) => (labels[i + 1] === label ? '' : label));
}

/** The window ends with the newest value. In the first minutes it is as long as what there is, so that it is not empty. */
function windowOf(plot: uPlot, seconds: number): uPlot.Range.MinMax {
  const times = plot.data[0];
  const end = times.at(-1) ?? Date.now() / 1000;
  const known = end - (times[0] ?? end);
  return [end - Math.min(seconds, Math.max(known, SHORTEST_S)), end];
}
