/**
 * What all plots share: scales, ticks, the frame with its titles, colours. Pure functions. Each text is escaped exactly once
 * (`escapeText`). Colours are CSS variables with a fallback, so a plot can be read inside a page of page.ts, light or dark,
 * and on its own.
 */

export const WIDTH_PX = 800;

export interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

interface Scale {
  (value: number): number;
  readonly ticks: readonly number[];
}

/** Okabe and Ito's palette, darkened where it has to be read on white; every second line is dashed as well. */
const SERIES = ['#0072b2', '#d55e00', '#00875f', '#b0488a', '#2b8cc4', '#8f6f00', '#6a51a3', '#666666'] as const;
const DASHES = ['', '7 3', '', '2 3', '9 3 2 3', '', '5 2', '3 2'] as const;
/** A greyed reference, for example the direct connection that the others are compared with. */
const INK = 'var(--ink,#1d2329)';
const FAINT = 'var(--faint,#5d6874)';
const GRID = 'var(--grid,#dde2e7)';

export function seriesColour(position: number): string {
  const at = position % SERIES.length;
  return `var(--series-${at},${SERIES[at]})`;
}

export function seriesDash(position: number): string {
  return DASHES[position % DASHES.length]!;
}

export function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** Three significant digits, thousands grouped, no exponent. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

/** From one round number to another, around the values. */
export function linearScale(min: number, max: number, from: number, to: number, tickCount = 5): Scale {
  const span = max > min ? max - min : Math.abs(max) || 1;
  const step = roundStep(span / tickCount);
  const low = Math.floor(min / step + 1e-9) * step;
  const high = Math.max(Math.ceil(max / step - 1e-9) * step, low + step);
  const count = Math.round((high - low) / step);
  const ticks = Array.from({ length: count + 1 }, (_, i) => Number((low + i * step).toPrecision(12)));
  return scaleOf((value) => from + ((value - low) / (high - low)) * (to - from), ticks);
}

/** For values above zero; others are drawn at the low end. */
export function logScale(min: number, max: number, from: number, to: number): Scale {
  const lowest = min > 0 ? min : 1e-3;
  const low = Math.log10(roundDown(lowest));
  const high = Math.log10(roundUp(Math.max(max, lowest * 1.1)));
  const positionOf = (value: number) =>
    from + ((Math.log10(Math.max(value, 10 ** low)) - low) / (high - low || 1)) * (to - from);
  return scaleOf(positionOf, logTicks(low, high));
}

/** Title, axis titles and grid around `marks`. Titles arrive as plain text. */
export function frame(
  options: { readonly title: string; readonly heightPx: number; readonly describes: string },
  marks: string,
): string {
  const { title, heightPx, describes } = options;
  return [
    `<svg class="plot" role="img" aria-label="${escapeText(`${title}: ${describes}`)}" viewBox="0 0 ${WIDTH_PX} ${heightPx}" width="100%" xmlns="http://www.w3.org/2000/svg" font-family="system-ui,sans-serif" font-size="12">`,
    label(0, 16, title, { bold: true, sizePx: 15 }),
    marks,
    '</svg>',
  ].join('\n');
}

export function xAxis(box: Box, scale: Scale, title: string, text: (tick: number) => string = numberText): string {
  const ticks = scale.ticks.map((tick) => {
    const x = px(scale(tick));
    return `${line(x, box.top, x, box.bottom, GRID)}${label(x, box.bottom + 17, text(tick), { anchor: 'middle', faint: true })}`;
  });
  const middle = (box.left + box.right) / 2;
  return `${ticks.join('')}${line(box.left, box.bottom, box.right, box.bottom, FAINT)}${label(middle, box.bottom + 36, title, { anchor: 'middle', faint: true })}`;
}

export function yAxis(box: Box, scale: Scale, title: string, text: (tick: number) => string = numberText): string {
  const ticks = scale.ticks.map((tick) => {
    const y = px(scale(tick));
    return `${line(box.left, y, box.right, y, GRID)}${label(box.left - 8, y + 4, text(tick), { anchor: 'end', faint: true })}`;
  });
  return `${ticks.join('')}${label(0, box.top - 10, title, { faint: true })}`;
}

interface LabelStyle {
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly bold?: boolean;
  readonly faint?: boolean;
  readonly sizePx?: number;
  readonly colour?: string;
}

/** Takes plain text and escapes it. */
export function label(x: number, y: number, text: string, style: LabelStyle = {}): string {
  const { anchor = 'start', bold = false, faint = false, sizePx, colour } = style;
  const size = sizePx === undefined ? '' : ` font-size="${sizePx}"`;
  const weight = bold ? ' font-weight="600"' : '';
  return `<text x="${px(x)}" y="${px(y)}" text-anchor="${anchor}"${size}${weight} style="fill:${colour ?? (faint ? FAINT : INK)}">${escapeText(text)}</text>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, colour: string, more = ''): string {
  return `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" style="stroke:${colour}" ${more}/>`;
}

/** Rounds to a tenth of a pixel, which nobody can see and which keeps the file small. */
export function px(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Moves heights apart, keeping their order, until neighbours are at least `gap` apart. */
export function spreadApart(heights: readonly number[], gap: number, top: number, bottom: number): number[] {
  const order = heights.map((height, at) => ({ height, at })).sort((a, b) => a.height - b.height);
  const placed = order.map(({ height }) => height);
  for (let i = 1; i < placed.length; i++) placed[i] = Math.max(placed[i]!, placed[i - 1]! + gap);
  const over = (placed.at(-1) ?? 0) - bottom;
  if (over > 0) {
    placed[placed.length - 1]! -= over;
    for (let i = placed.length - 2; i >= 0; i--) placed[i] = Math.min(placed[i]!, placed[i + 1]! - gap);
  }
  const result = new Array<number>(heights.length);
  for (const [i, { at }] of order.entries()) result[at] = Math.max(top, placed[i]!);
  return result;
}

function scaleOf(positionOf: (value: number) => number, ticks: readonly number[]): Scale {
  return Object.assign((value: number) => positionOf(value), { ticks });
}

function roundStep(raw: number): number {
  const decade = 10 ** Math.floor(Math.log10(raw));
  const lead = raw / decade;
  return (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 2.5 ? 2.5 : lead <= 5 ? 5 : 10) * decade;
}

const LOG_LEADS = [1, 2, 5] as const;

function roundDown(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  return decade * (LOG_LEADS.findLast((lead) => lead * decade <= value * 1.000001) ?? 1);
}

function roundUp(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  return decade * (LOG_LEADS.find((lead) => lead * decade >= value * 0.999999) ?? 10);
}

/** 1, 2, 5 in each decade; over more than three decades only the powers of ten. */
function logTicks(low: number, high: number): number[] {
  const leads: readonly number[] = high - low > 3 ? [1] : LOG_LEADS;
  const ticks: number[] = [];
  for (let exponent = Math.floor(low); exponent <= Math.ceil(high); exponent++) {
    for (const lead of leads) {
      const tick = Number((lead * 10 ** exponent).toPrecision(3));
      const power = Math.log10(tick);
      if (power >= low - 1e-9 && power <= high + 1e-9) ticks.push(tick);
    }
  }
  return ticks;
}
