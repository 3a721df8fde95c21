import { type KeyLimitName, LIMIT_NAMES, type LimitState } from '../../api/api-types.ts';
import { formatCompact, formatCount } from '../../format/numbers.ts';
import { formatRelative } from '../../format/times.ts';
import { LIMIT_TITLES } from './limit-text.ts';

/** How much of each limit is used up now. */
export function KeyLimits({ limits }: { limits: Readonly<Record<KeyLimitName, LimitState>> }) {
  return (
    <section class="tiles" aria-label="Limits">
      {LIMIT_NAMES.map(
        (name) => limits[name] && <LimitTile key={name} title={LIMIT_TITLES[name]} state={limits[name]} />,
      )}
    </section>
  );
}

const NEARLY = 0.8;

function LimitTile({ title, state }: { title: string; state: LimitState }) {
  const { limit, used, resets_at } = state;
  const share = limit === null ? 0 : Math.min(1, used / limit);
  const tone = share >= 1 ? 'error' : share >= NEARLY ? 'warn' : '';
  return (
    <div class="tile">
      <h2 class="tile-title">{title}</h2>
      <p class="tile-value" title={limit === null ? undefined : `${formatCount(used)} of ${formatCount(limit)}`}>
        <strong>{formatCompact(used)}</strong>
        <span class="muted">{limit === null ? ' no limit' : ` of ${formatCompact(limit)}`}</span>
      </p>
      {limit !== null && (
        <meter class={`meter ${tone}`} min={0} max={limit} value={Math.min(used, limit)} aria-label={`${title} used`} />
      )}
      <p class="muted tile-note">{resets_at === null ? ' ' : `resets ${formatRelative(resets_at, Date.now())}`}</p>
    </div>
  );
}
