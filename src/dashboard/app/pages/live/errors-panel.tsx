import { formatCount } from '../../format/numbers.ts';
import { Panel } from '../../ui/page.tsx';

/** How many errors of each code the last ten seconds saw, the most frequent first. */
export function ErrorsPanel({ errors }: { errors: Readonly<Record<string, number>> }) {
  const rows = Object.entries(errors)
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1]);
  const most = rows[0]?.[1] ?? 1;
  return (
    <Panel title="Errors by code" aside={<span class="muted">last 10 s</span>}>
      {rows.length === 0 ? (
        <p class="panel-empty">None.</p>
      ) : (
        <ul class="error-bars">
          {rows.map(([code, count]) => (
            <li key={code}>
              <a href={`/dashboard/requests?finish=error`}>{code}</a>
              <span class="error-bar" aria-hidden="true">
                <span style={{ width: `${(count / most) * 100}%` }} />
              </span>
              <strong>{formatCount(count)}</strong>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
