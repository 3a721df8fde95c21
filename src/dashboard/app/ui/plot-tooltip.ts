/** A uPlot plugin: what every line says where the pointer is. Text only, placed by properties of style. */
import type uPlot from 'uplot';

interface TooltipRow {
  readonly label: string;
  readonly color: string;
  readonly value: string;
}

interface TooltipText {
  readonly title: string;
  readonly rows: readonly TooltipRow[];
}

export function tooltipPlugin(textAt: (index: number) => TooltipText): uPlot.Plugin {
  const box = document.createElement('div');
  box.className = 'plot-tooltip';
  box.hidden = true;
  let shownIndex: number | null = null;

  const fill = (index: number) => {
    const { title, rows } = textAt(index);
    box.replaceChildren(element('p', 'plot-tooltip-title', title), ...rows.map(rowElement));
  };

  return {
    hooks: {
      init: (plot) => {
        plot.over.append(box);
        plot.over.addEventListener('mouseleave', () => {
          box.hidden = true;
        });
      },
      setData: () => {
        shownIndex = null;
      },
      setCursor: (plot) => {
        const { idx, left, top } = plot.cursor;
        // Another plot that shares the cursor shows its own line, not its own box.
        const isHere = plot.over.matches(':hover');
        if (idx === null || idx === undefined || left === undefined || left < 0 || !isHere) {
          box.hidden = true;
          return;
        }
        if (idx !== shownIndex) fill(idx);
        shownIndex = idx;
        box.hidden = false;
        const { width, height } = plot.over.getBoundingClientRect();
        const boxWidth = box.offsetWidth;
        const x = left + 14 + boxWidth > width ? left - 14 - boxWidth : left + 14;
        const y = Math.min(Math.max(0, (top ?? 0) - box.offsetHeight / 2), Math.max(0, height - box.offsetHeight));
        box.style.transform = `translate(${Math.max(0, Math.round(x))}px, ${Math.round(y)}px)`;
      },
    },
  };
}

function rowElement({ label, color, value }: TooltipRow): HTMLElement {
  const swatch = element('span', 'swatch', '');
  swatch.style.backgroundColor = color;
  const row = element('p', 'plot-tooltip-row', '');
  row.append(swatch, element('span', 'plot-tooltip-label', label), element('span', 'plot-tooltip-value', value));
  return row;
}

function element(tag: string, className: string, text: string): HTMLElement {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}
