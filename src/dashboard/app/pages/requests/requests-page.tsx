/** Finished requests by what is known of them, newest first, read page by page while the reader scrolls. */
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { isApiError, listRequests, type RequestsQuery } from '../../api/admin-client.ts';
import type { ApiError } from '../../api/api-error.ts';
import type { RequestRecord } from '../../api/api-types.ts';
import { recoveries } from '../../api/connection-monitor.ts';
import { plural } from '../../format/numbers.ts';
import { keyDirectory, wantKeys } from '../../state/key-directory.ts';
import { setParameters, useAddress } from '../../state/router.ts';
import { useSharedState } from '../../state/shared-state.ts';
import { Button } from '../../ui/button.tsx';
import { Page } from '../../ui/page.tsx';
import { Empty, Failure, Loading } from '../../ui/states.tsx';
import { VirtualTable } from '../../ui/virtual-table.tsx';
import { requestColumns, requestUrl } from './request-columns.tsx';
import { FILTER_NAMES, RequestFilters } from './request-filters.tsx';

const PAGE_SIZE = 200;

interface Pages {
  readonly records: readonly RequestRecord[];
  readonly loading: boolean;
  readonly error: ApiError | null;
  readonly complete: boolean;
}

const NONE: Pages = { records: [], loading: true, error: null, complete: false };

export function RequestsPage() {
  const { query } = useAddress();
  useSharedState(keyDirectory);
  useEffect(wantKeys, []);
  const filters = useMemo(() => readFilters(query), [query]);
  const { pages, more, reload } = usePages(filters);
  const isFiltered = FILTER_NAMES.some((name) => query.get(name));
  return (
    <Page
      title="Requests"
      fill
      actions={
        <Button icon="reload" busy={pages.loading} onPress={reload}>
          Refresh
        </Button>
      }
    >
      <RequestFilters query={query} />
      {pages.records.length === 0 && pages.error !== null ? (
        <Failure error={pages.error} onRetry={reload} />
      ) : pages.records.length === 0 && pages.loading ? (
        <Loading rows={12} />
      ) : (
        <VirtualTable
          label="Requests, newest first"
          columns={requestColumns}
          rows={pages.records}
          rowId={(record) => record.id}
          rowUrl={requestUrl}
          onEnd={more}
          empty={<NoRequests filtered={isFiltered} />}
          footer={<Footer pages={pages} onRetry={more} />}
        />
      )}
    </Page>
  );
}

function Footer({ pages, onRetry }: { pages: Pages; onRetry: () => void }) {
  if (pages.records.length === 0) return null;
  if (pages.error !== null) {
    return (
      <p class="table-footer" role="alert">
        Older ones could not be read: {pages.error.message} <Button onPress={onRetry}>Try again</Button>
      </p>
    );
  }
  const count = plural(pages.records.length, 'request');
  return (
    <p class="table-footer">{pages.complete ? `${count}, no older ones.` : `${count} so far, reading older ones…`}</p>
  );
}

function NoRequests({ filtered }: { filtered: boolean }) {
  if (!filtered) {
    return (
      <Empty title="No requests yet">
        <p>
          Each finished request of a valid key is listed here. See <a href="/dashboard/connect">Connect</a> for how to
          send one.
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="No request matches">
      <Button onPress={() => setParameters(Object.fromEntries(FILTER_NAMES.map((name) => [name, null])))}>
        Remove all filters
      </Button>
    </Empty>
  );
}

function readFilters(query: URLSearchParams): Omit<RequestsQuery, 'limit' | 'before'> {
  return Object.fromEntries(FILTER_NAMES.map((name) => [name, query.get(name) || undefined]));
}

function usePages(filters: Omit<RequestsQuery, 'limit' | 'before'>) {
  const [pages, setPages] = useState<Pages>(NONE);
  const reading = useRef<AbortController | null>(null);
  const shown = useRef(pages);
  shown.current = pages;
  const show = (next: Pages) => {
    shown.current = next;
    setPages(next);
  };

  const read = useCallback(
    async (before: readonly RequestRecord[]) => {
      reading.current?.abort();
      const abort = new AbortController();
      reading.current = abort;
      show({ records: before, loading: true, error: null, complete: false });
      try {
        const found = await listRequests({ ...filters, limit: PAGE_SIZE, before: before.at(-1)?.id }, abort.signal);
        if (abort.signal.aborted) return;
        show({ records: [...before, ...found], loading: false, error: null, complete: found.length < PAGE_SIZE });
      } catch (error) {
        if (abort.signal.aborted) return;
        show({ records: before, loading: false, error: isApiError(error) ? error : null, complete: false });
      }
      reading.current = null;
    },
    [filters],
  );

  useEffect(() => {
    void read([]);
    const unsubscribe = recoveries.subscribe(() => {
      if (shown.current.error !== null) void read(shown.current.records);
    });
    return () => {
      unsubscribe();
      reading.current?.abort();
    };
  }, [read]);

  const more = useCallback(() => {
    const { loading, complete, error, records } = shown.current;
    if (!loading && !complete && error?.kind !== 'unreachable' && reading.current === null) void read(records);
  }, [read]);
  const reload = useCallback(() => void read([]), [read]);
  return { pages, more, reload };
}
