/** The requests that have just finished: they can be filtered, and held so that they can be read. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { FINISHES, type RequestFinish, type RequestRecord } from '../../api/api-types.ts';
import { formatCount, plural } from '../../format/numbers.ts';
import { keyDirectory, keyName, wantKeys } from '../../state/key-directory.ts';
import { useSharedState } from '../../state/shared-state.ts';
import { FINISH_NAMES } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Select } from '../../ui/choice.tsx';
import { SearchField } from '../../ui/search-field.tsx';
import { VirtualTable } from '../../ui/virtual-table.tsx';
import { requestColumns, requestUrl } from '../requests/request-columns.tsx';
import { requestFeed } from './live-data.ts';

/** Twice a second is as often as a list can be followed. */
const REDRAW_MS = 500;

export function FeedPanel() {
  const [text, setText] = useState('');
  const [finish, setFinish] = useState<RequestFinish | ''>('');
  const [paused, setPaused] = useState(requestFeed.held);
  const [atTop, setAtTop] = useState(true);
  const { loadedAtMs } = useSharedState(keyDirectory);
  const revision = useRevision();
  useEffect(wantKeys, []);

  const scrolledAway = !atTop;
  useEffect(() => {
    if (paused || scrolledAway) requestFeed.hold();
    else requestFeed.release();
  }, [paused, scrolledAway]);

  // The feed changes with its revision, names with the directory.
  const rows = useMemo(() => requestFeed.rows(matcher(text, finish)), [revision, text, finish, loadedAtMs]);
  const isFiltered = text !== '' || finish !== '';

  return (
    <section class="panel feed" aria-label="Finished requests">
      <header class="panel-header">
        <h2>Finished requests</h2>
        <div class="toolbar">
          <SearchField label="Filter by key, model, endpoint, id" value={text} onChange={setText} />
          <Select
            label="Finish"
            value={finish}
            onChange={setFinish}
            options={[{ value: '', label: 'all' }, ...FINISHES.map((value) => ({ value, label: FINISH_NAMES[value] }))]}
          />
          <Button icon={paused ? 'resume' : 'pause'} shortcut="p" pressed={paused} onPress={() => setPaused(!paused)}>
            {paused ? 'Go on' : 'Pause'}
          </Button>
        </div>
      </header>
      <p class="feed-state" role="status">
        {requestFeed.held && (paused ? 'Paused. ' : 'Held while you scroll. ')}
        {requestFeed.held && `${plural(requestFeed.newCount, 'new request')}. `}
        {requestFeed.droppedCount > 0 && `${formatCount(requestFeed.droppedCount)} came too fast and are not shown. `}
        {!requestFeed.held && isFiltered && `${plural(rows.length, 'match', 'matches')}.`}
      </p>
      <VirtualTable
        label="Finished requests, newest first"
        columns={requestColumns}
        rows={rows}
        rowId={(record) => record.id}
        rowUrl={requestUrl}
        onTop={setAtTop}
        empty={
          <p class="panel-empty">
            {isFiltered ? 'No request of the last ones matches.' : 'No request has finished yet.'}
          </p>
        }
      />
    </section>
  );
}

/** Changes at most twice a second, whatever arrives. */
function useRevision(): number {
  const [revision, setRevision] = useState(requestFeed.revision);
  const shown = useRef(revision);
  useEffect(() => {
    const timer = setInterval(() => {
      if (shown.current === requestFeed.revision) return;
      shown.current = requestFeed.revision;
      setRevision(requestFeed.revision);
    }, REDRAW_MS);
    return () => clearInterval(timer);
  }, []);
  return revision;
}

function matcher(text: string, finish: RequestFinish | ''): (record: RequestRecord) => boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0 && finish === '') return () => true;
  return (record) => {
    if (finish !== '' && record.finish !== finish) return false;
    if (words.length === 0) return true;
    const { model, endpoint, status, errorCode, target, requestId, keyId } = record;
    const all = `${keyName(keyId)} ${model} ${endpoint} ${status} ${errorCode} ${target} ${requestId}`.toLowerCase();
    return words.every((word) => all.includes(word));
  };
}
