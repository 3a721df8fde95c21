/** uPlot inside a component: sized by its container, drawn in the colours of the theme, described in words. */
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { useSharedState } from '../state/shared-state.ts';
import { theme } from '../state/theme.ts';
import { type PlotColors, readPlotColors } from './plot-colors.ts';

interface PlotProps {
  /** What can be seen, for those who cannot. */
  readonly label: string;
  readonly height: number;
  readonly data: uPlot.AlignedData;
  /** Everything but the size. Called again when `shape` or the theme changes, not when the data does. */
  readonly options: (colors: PlotColors) => Omit<uPlot.Options, 'width' | 'height'>;
  /** Changes when `options` would give something else. */
  readonly shape: string;
}

export function Plot({ label, height, data, options, shape }: PlotProps) {
  const container = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const themeName = useSharedState(theme);
  const latest = useRef({ data, options });
  latest.current = { data, options };

  // A new theme or shape is a new plot.
  useLayoutEffect(() => {
    const node = container.current!;
    const width = Math.max(node.clientWidth, 1);
    const made = new uPlot({ ...latest.current.options(readPlotColors()), width, height }, latest.current.data, node);
    plot.current = made;
    const observer = new ResizeObserver(() => {
      if (node.clientWidth > 0 && node.clientWidth !== made.width) made.setSize({ width: node.clientWidth, height });
    });
    observer.observe(node);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, height, themeName]);

  useEffect(() => {
    // A plot nobody sees is drawn when they look again.
    if (plot.current !== null && plot.current.data !== data) plot.current.setData(data);
  }, [data]);

  return <div ref={container} class="plot" role="img" aria-label={label} style={{ height: `${height}px` }} />;
}

const PLOT_FONT = '11px Inter, system-ui, sans-serif';

/** The parts that all plots have in common. */
export function axisOf(colors: PlotColors, axis: uPlot.Axis): uPlot.Axis {
  return {
    stroke: colors.text,
    font: PLOT_FONT,
    grid: { stroke: colors.grid, width: 1 },
    ticks: { show: false },
    border: { show: false },
    ...axis,
  };
}

/** From zero to a little above the highest value. */
export function fromZero(_plot: uPlot, _min: number | null, max: number | null): uPlot.Range.MinMax {
  return [0, max === null || max <= 0 ? 1 : max * 1.08];
}
