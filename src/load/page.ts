/**
 * One self-contained HTML file: no script, no external resource, light and dark. The caller escapes the HTML of the sections
 * (`escapeText` of axes.ts).
 */
import { escapeText } from './axes.ts';

export interface Section {
  /** Plain text; empty for a section without a heading. */
  readonly heading: string;
  readonly html: string;
}

export function page(title: string, sections: readonly Section[]): string {
  const body = sections.map(
    ({ heading, html }) => `<section>\n${heading === '' ? '' : `<h2>${escapeText(heading)}</h2>\n`}${html}\n</section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeText(title)}</h1>
${body.join('\n')}
</main>
</body>
</html>
`;
}

interface TableCell {
  readonly text: string;
  /** The best value of its column. */
  readonly best?: boolean;
  /** Something to worry about. */
  readonly bad?: boolean;
}

/** A table: names in the first column, figures in the others. All of it is plain text and gets escaped. */
export function table(head: readonly string[], rows: readonly (readonly (string | TableCell)[])[]): string {
  const headCells = head.map((text) => `<th>${escapeText(text)}</th>`).join('');
  const bodyRows = rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n');
  return `<div class="wide"><table>\n<thead><tr>${headCells}</tr></thead>\n<tbody>\n${bodyRows}\n</tbody></table></div>`;
}

function cell(content: string | TableCell): string {
  const { text, best = false, bad = false } = typeof content === 'string' ? { text: content } : content;
  const name = bad ? 'bad' : best ? 'best' : '';
  return `<td${name === '' ? '' : ` class="${name}"`}>${escapeText(text)}</td>`;
}

const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --card: #f7f8fa; --ink: #1d2329; --faint: #5d6874; --grid: #dde2e7; --best: #00694b; --best-back: #def3ea; --bad: #b3261e;
  --series-0: #0072b2; --series-1: #d55e00; --series-2: #00875f; --series-3: #b0488a;
  --series-4: #2b8cc4; --series-5: #8f6f00; --series-6: #6a51a3; --series-7: #666666;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181c; --card: #1b2026; --ink: #e8ebee; --faint: #9aa6b2; --grid: #323a43; --best: #7fe0b8; --best-back: #173a2d; --bad: #ff8a80;
    --series-0: #56b4e9; --series-1: #ff8c42; --series-2: #35c99a; --series-3: #e79ac6;
    --series-4: #9bd2f2; --series-5: #e0bd4a; --series-6: #b9a5ee; --series-7: #b0b6bc;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 80px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 8px; letter-spacing: -0.01em; }
h2 { font-size: 20px; margin: 44px 0 12px; }
p { margin: 8px 0; max-width: 75ch; }
p.note, figcaption { color: var(--faint); font-size: 14px; }
figure { margin: 16px 0; padding: 18px 20px 10px; background: var(--card); border: 1px solid var(--grid); border-radius: 10px; }
figcaption { margin: 4px 0 8px; }
svg.plot { display: block; height: auto; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; margin: 12px 0; font-size: 14px; }
dl.facts dt { color: var(--faint); }
dl.facts dd { margin: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 8px; text-align: right; border-bottom: 1px solid var(--grid); white-space: nowrap; }
th { color: var(--faint); font-weight: 500; line-height: 1.3; white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; font-weight: 600; }
td.best { color: var(--best); background: var(--best-back); font-weight: 600; }
td.best::after { content: " ★"; font-size: 11px; }
td.bad { color: var(--bad); font-weight: 600; }
code { font: 13px/1.4 ui-monospace, monospace; background: var(--card); padding: 1px 5px; border-radius: 4px; }
`;
