/** The colours of plots come from the style sheet, where each theme has its own. */
export const SERIES_COLORS = 8;

export interface PlotColors {
  readonly series: readonly string[];
  readonly other: string;
  readonly text: string;
  readonly grid: string;
  readonly background: string;
}

export function readPlotColors(): PlotColors {
  const styles = getComputedStyle(document.documentElement);
  const color = (name: string) => styles.getPropertyValue(name).trim();
  return {
    series: Array.from({ length: SERIES_COLORS }, (_, i) => color(`--series-${i + 1}`)),
    other: color('--series-other'),
    text: color('--text-muted'),
    grid: color('--grid'),
    background: color('--bg-raised'),
  };
}

/** With half of its strength or less, for areas under a line. */
export function faded(hex: string, alpha: number): string {
  const value = Number.parseInt(hex.slice(1), 16);
  return `rgb(${value >> 16} ${(value >> 8) & 255} ${value & 255} / ${alpha})`;
}
