import { useState } from 'preact/hooks';
import type { Configuration } from '../../api/api-types.ts';
import { ScrollRegion } from '../../ui/scroll-region.tsx';
import { SearchField } from '../../ui/search-field.tsx';

interface Row {
  readonly name: string;
  readonly value: string;
  readonly source: string;
}

/** Every option with its value, and where it comes from when the gateway says so. */
export function ConfigurationTable({ values }: { values: Configuration }) {
  const [text, setText] = useState('');
  const rows = rowsOf(values);
  const shown = rows.filter(({ name, value }) => `${name} ${value}`.toLowerCase().includes(text.toLowerCase()));
  const hasSources = rows.some(({ source }) => source !== '');
  return (
    <>
      <div class="panel-toolbar">
        <SearchField label="Find an option" value={text} onChange={setText} />
      </div>
      <ScrollRegion class="scroll-x" label="Configuration">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Option</th>
              <th scope="col">Value</th>
              {hasSources && <th scope="col">From</th>}
            </tr>
          </thead>
          <tbody>
            {shown.map(({ name, value, source }) => (
              <tr key={name}>
                <th scope="row">
                  <code>{name}</code>
                </th>
                <td class="wrap">{value === '' ? <span class="muted">not set</span> : <code>{value}</code>}</td>
                {hasSources && <td class="muted">{source}</td>}
              </tr>
            ))}
          </tbody>
        </table>
        {shown.length === 0 && <p class="panel-empty">No option matches.</p>}
      </ScrollRegion>
    </>
  );
}

function rowsOf(values: Configuration): Row[] {
  return Object.entries(values).map(([name, entry]) => {
    const isSourced = typeof entry === 'object' && entry !== null && 'value' in entry;
    const { value, source } = isSourced
      ? (entry as { value: unknown; source?: unknown })
      : { value: entry, source: '' };
    return { name: name.toUpperCase(), value: textOf(value), source: typeof source === 'string' ? source : '' };
  });
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
