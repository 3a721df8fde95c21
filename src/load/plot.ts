/**
 * Four kinds of plot as SVG text: pure functions, no dependency, no script. Every line has its label beside it, so that a plot
 * can be read without a legend and without colours. All text is escaped.
 */

import {
  type Box,
  frame,
  label,
  line,
  linearScale,
  logScale,
  numberText,
  px,
  seriesColour,
  seriesDash,
  spreadApart,
  WIDTH_PX,
  xAxis,
  yAxis,
} from './axes.ts';
import { quantile } from './statistics.ts';

interface PlotOptions {
  readonly title: string;
  /** Of the measured values, e.g. `ms`. */
  readonly unit: string;
}

interface CdfOptions extends PlotOptions {
  readonly logX?: boolean;
}

interface LineOptions extends PlotOptions {
  /** What x is, e.g. `open streams`. */
  readonly xTitle?: string;
  readonly logX?: boolean;
}

interface TimelineOptions extends PlotOptions {
  /** Joins the nth mark of each row with the nth of the next one. */
  readonly connect?: boolean;
}

interface Bar {
  readonly name: string;
  readonly value: number;
  /** Position in the palette; by default that of the bar. */
  readonly colour?: number;
  /** Ends of an interval around the value. */
  readonly low?: number;
  readonly high?: number;
}

const LABELS_PX = 176;
/** More points make no visible difference. */
const CURVE_POINTS_MAX = 400;

/** The share of values that are at most x. Labels give p50 and p99 of each series. */
export function cdfPlot(
  series: readonly { readonly name: string; readonly values: readonly number[]; readonly colour?: number }[],
  options: CdfOptions,
): string {
  const filled = series
    .map(({ name, values, colour }, at) => ({ name, position: colour ?? at, sorted: Float64Array.from(values).sort() }))
    .filter(({ sorted }) => sorted.length > 0);
  const heightPx = 340;
  if (filled.length === 0) return nothingMeasured(options.title);
  const box: Box = { left: 44, right: WIDTH_PX - LABELS_PX, top: 54, bottom: heightPx - 44 };
  const min = Math.min(...filled.map(({ sorted }) => sorted[0]!));
  // A single outlier must not squeeze the rest: beyond the largest p99.9 the curve is at the top anyway.
  const max = Math.max(...filled.map(({ sorted }) => quantile(sorted, 0.999)));
  const x = options.logX
    ? logScale(min, max, box.left, box.right)
    : linearScale(Math.min(0, min), max, box.left, box.right);
  const y = linearScale(0, 100, box.bottom, box.top, 4);
  const labelsY = spreadApart(
    filled.map((_, i) => box.top + 12 + i * 36),
    36,
    box.top + 12,
    box.bottom,
  );
  const byMedian = [...filled].sort((a, b) => quantile(a.sorted, 0.5) - quantile(b.sorted, 0.5));
  const curves = byMedian.map(({ name, position, sorted }, i) => {
    const colour = seriesColour(position);
    const points = quantilePoints(sorted).map(
      ([share, value]) => [Math.min(x(value), box.right), y(share * 100)] as const,
    );
    const [p50, p99] = [quantile(sorted, 0.5), quantile(sorted, 0.99)];
    const at = labelsY[i]!;
    return [
      path(points, colour, seriesDash(position)),
      dot(Math.min(x(p50), box.right), y(50), colour),
      line(box.right + 14, at - 4, box.right + 34, at - 4, colour, strokeStyle(seriesDash(position))),
      label(box.right + 40, at, name, { bold: true, colour }),
      label(box.right + 40, at + 15, `p50 ${numberText(p50)} · p99 ${numberText(p99)} ${options.unit}`, {
        faint: true,
        sizePx: 11,
      }),
    ].join('');
  });
  const axes = `${yAxis(box, y, 'share of streams', (tick) => `${tick}%`)}${xAxis(box, x, titleWithUnit(options, options.logX))}`;
  const describes = byMedian.map(({ name, sorted }) => `${name} p50 ${numberText(quantile(sorted, 0.5))}`).join(', ');
  return frame({ title: options.title, heightPx, describes: `${describes} ${options.unit}` }, axes + curves.join(''));
}

/** Horizontal bars in the given order, with their values and, where given, intervals. */
export function barPlot(bars: readonly Bar[], options: PlotOptions): string {
  if (bars.length === 0) return nothingMeasured(options.title);
  const rowPx = 34;
  const nameChars = Math.max(...bars.map(({ name }) => name.length));
  const box: Box = {
    left: Math.min(260, 24 + nameChars * 7.2),
    right: WIDTH_PX - 130,
    top: 32,
    bottom: 38 + bars.length * rowPx,
  };
  const x = linearScale(
    0,
    Math.max(...bars.map(({ value, high }) => Math.max(value, high ?? value))),
    box.left,
    box.right,
  );
  const rows = bars.map(({ name, value, low, high, colour }, i) => {
    const top = box.top + 8 + i * rowPx;
    const middle = top + 11;
    const end = Math.max(x(value), box.left + 1);
    const interval =
      low === undefined || high === undefined
        ? ''
        : `${line(x(low), middle, x(high), middle, INTERVAL)}${line(x(low), middle - 5, x(low), middle + 5, INTERVAL)}${line(x(high), middle - 5, x(high), middle + 5, INTERVAL)}`;
    return [
      label(box.left - 10, middle + 4, name, { anchor: 'end' }),
      `<rect x="${px(box.left)}" y="${px(top)}" width="${px(end - box.left)}" height="22" rx="3" style="fill:${seriesColour(colour ?? i)}"/>`,
      interval,
      label(Math.max(end, high === undefined ? 0 : x(high)) + 8, middle + 4, `${numberText(value)} ${options.unit}`, {
        bold: true,
      }),
    ].join('');
  });
  const describes = bars.map(({ name, value }) => `${name} ${numberText(value)} ${options.unit}`).join(', ');
  return frame(
    { title: options.title, heightPx: box.bottom + 46, describes },
    xAxis(box, x, options.unit) + rows.join(''),
  );
}

/** One lane per row with a mark for every time; the first lane is on top. */
export function timelinePlot(
  rows: readonly { readonly name: string; readonly times: readonly number[]; readonly colour?: number }[],
  options: TimelineOptions,
): string {
  const all = rows.flatMap(({ times }) => [...times]);
  if (all.length === 0) return nothingMeasured(options.title);
  const laneGapPx = 64;
  const nameChars = Math.max(...rows.map(({ name }) => name.length));
  const box: Box = {
    left: Math.min(240, 20 + nameChars * 7.2),
    right: WIDTH_PX - 16,
    top: 32,
    bottom: 32 + 28 + (rows.length - 1) * laneGapPx + 28,
  };
  const x = linearScale(least(all), greatest(all), box.left + 6, box.right - 6, 8);
  const laneY = (row: number) => box.top + 28 + row * laneGapPx;
  const marks = rows.map(({ name, times, colour: position }, row) => {
    const y = laneY(row);
    const colour = seriesColour(position ?? row);
    const strokes = times.map((time) => `M${px(x(time))} ${y - 9}v18`).join('');
    const lane = `<path d="${strokes}" fill="none" style="stroke:${colour}" stroke-width="${times.length > 300 ? 0.8 : 1.6}" stroke-linecap="round"/>`;
    return lane + label(box.left - 10, y + 4, name, { anchor: 'end', bold: true, colour });
  });
  const joins = options.connect
    ? rows.slice(1).map(({ times }, row) => {
        const before = rows[row]!.times;
        const strokes = times
          .slice(0, before.length)
          .map((time, i) => `M${px(x(before[i]!))} ${laneY(row) + 11}L${px(x(time))} ${laneY(row + 1) - 11}`);
        return `<path d="${strokes.join('')}" fill="none" style="stroke:var(--faint,#5d6874)" stroke-width="0.8" opacity="0.55"/>`;
      })
    : [];
  const describes = rows.map(({ name, times }) => `${name} ${times.length} events`).join(', ');
  return frame(
    { title: options.title, heightPx: box.bottom + 46, describes },
    xAxis(box, x, titleWithUnit(options)) + joins.join('') + marks.join(''),
  );
}

/** Lines through points in order of x, each labelled at its end. */
export function linePlot(
  series: readonly {
    readonly name: string;
    readonly points: readonly (readonly [number, number])[];
    readonly colour?: number;
  }[],
  options: LineOptions,
): string {
  const filled = series
    .map(({ name, points, colour }, at) => ({
      name,
      position: colour ?? at,
      points: [...points].sort((a, b) => a[0] - b[0]),
    }))
    .filter(({ points }) => points.length > 0);
  if (filled.length === 0) return nothingMeasured(options.title);
  const heightPx = 340;
  const box: Box = { left: 56, right: WIDTH_PX - LABELS_PX, top: 54, bottom: heightPx - 44 };
  const xs = filled.flatMap(({ points }) => points.map(([value]) => value));
  const ys = filled.flatMap(({ points }) => points.map(([, value]) => value));
  const x = (options.logX ? logScale : linearScale)(least(xs), greatest(xs), box.left, box.right);
  const y = linearScale(Math.min(0, least(ys)), greatest(ys), box.bottom, box.top);
  const ends = filled.map(({ points }) => y(points.at(-1)![1]));
  const labelsY = spreadApart(ends, 18, box.top, box.bottom);
  const lines = filled.map(({ name, position, points }, i) => {
    const colour = seriesColour(position);
    const placed = points.map(([px1, py1]) => [x(px1), y(py1)] as const);
    const [endX, endY] = placed.at(-1)!;
    return [
      path(placed, colour, seriesDash(position)),
      placed.length <= 60 ? placed.map(([atX, atY]) => dot(atX, atY, colour)).join('') : '',
      line(endX + 5, endY, box.right + 14, labelsY[i]!, colour, 'stroke-width="0.8" opacity="0.7"'),
      label(box.right + 18, labelsY[i]! + 4, `${name} ${numberText(points.at(-1)![1])} ${options.unit}`, {
        bold: true,
        colour,
      }),
    ].join('');
  });
  const describes = filled
    .map(({ name, points }) => `${name} ${numberText(points.at(-1)![1])} ${options.unit}`)
    .join(', ');
  return frame(
    { title: options.title, heightPx, describes },
    yAxis(box, y, options.unit) + xAxis(box, x, options.xTitle ?? '') + lines.join(''),
  );
}

const INTERVAL = 'var(--ink,#1d2329)';

function nothingMeasured(title: string): string {
  return frame(
    { title, heightPx: 60, describes: 'nothing measured' },
    label(0, 44, 'nothing measured', { faint: true }),
  );
}

function titleWithUnit({ unit }: PlotOptions, log = false): string {
  return log ? `${unit} (logarithmic)` : unit;
}

/** Pairs of share (0 to 1) and value: all values of a small set; of a large one an even choice and the whole tail. */
function quantilePoints(sorted: Float64Array): [number, number][] {
  const count = sorted.length;
  const step = Math.max(1, Math.floor(count / CURVE_POINTS_MAX));
  const points: [number, number][] = [[0, sorted[0]!]];
  for (let i = 0; i < count; i += count - i <= 20 ? 1 : step) points.push([(i + 1) / count, sorted[i]!]);
  points.push([1, sorted[count - 1]!]);
  return points;
}

function path(points: readonly (readonly [number, number])[], colour: string, dash: string): string {
  const d = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${px(x)} ${px(y)}`).join('');
  return `<path d="${d}" fill="none" style="stroke:${colour}" ${strokeStyle(dash)}/>`;
}

function strokeStyle(dash: string): string {
  return `stroke-width="2"${dash === '' ? '' : ` stroke-dasharray="${dash}"`} stroke-linejoin="round"`;
}

function dot(x: number, y: number, colour: string): string {
  return `<circle cx="${px(x)}" cy="${px(y)}" r="3" style="fill:${colour}"/>`;
}

// Spreading tens of thousands of values into Math.min overflows the stack.
function least(values: readonly number[]): number {
  return values.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY);
}

function greatest(values: readonly number[]): number {
  return values.reduce((high, value) => Math.max(high, value), Number.NEGATIVE_INFINITY);
}
