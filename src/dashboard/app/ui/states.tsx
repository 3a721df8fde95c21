/** What a page shows when it has nothing to show: not yet, nothing there, or a failure. */
import type { ComponentChildren } from 'preact';
import type { ApiError } from '../api/api-error.ts';
import { formatTime } from '../format/times.ts';
import type { QueryState } from '../state/use-query.ts';
import { Button } from './button.tsx';
import { Icon } from './icon.tsx';

export function Loading({ label = 'Loading', rows = 4 }: { label?: string; rows?: number }) {
  return (
    <div class="loading" role="status" aria-label={label}>
      {Array.from({ length: rows }, (_, i) => (
        <span key={i} class="bar" />
      ))}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="state">
      <p class="state-title">{title}</p>
      {children}
    </div>
  );
}

export function Failure({ error, onRetry }: { error: ApiError; onRetry?: (() => void) | undefined }) {
  return (
    <div class="state" role="alert">
      <p class="state-title">
        <Icon name="warning" /> {titleOf(error)}
      </p>
      <p>
        {error.kind === 'unreachable'
          ? 'It is asked again until it does, and this page then goes on by itself.'
          : error.message}
      </p>
      {error.requestId !== null && (
        <p class="muted">
          Request <code>{error.requestId}</code>
        </p>
      )}
      {onRetry && error.kind !== 'unreachable' && <Button onPress={onRetry}>Try again</Button>}
    </div>
  );
}

export function ErrorNote({ children }: { children: ComponentChildren }) {
  return (
    <p class="note error" role="alert">
      {children}
    </p>
  );
}

interface LoadedProps<T> {
  readonly query: QueryState<T>;
  readonly children: (data: T) => ComponentChildren;
  readonly rows?: number;
}

/** The data of a call, or why there is none. Data that could not be renewed is shown, and said to be old. */
export function Loaded<T>({ query, children, rows = 4 }: LoadedProps<T>) {
  const { data, error, loadedAtMs, reload } = query;
  if (data === undefined) return error ? <Failure error={error} onRetry={reload} /> : <Loading rows={rows} />;
  return (
    <>
      {error && error.kind !== 'unreachable' && (
        <p class="note warn" role="alert">
          This could not be renewed{loadedAtMs && ` and is as of ${formatTime(loadedAtMs)}`}: {error.message}{' '}
          <Button onPress={reload}>Try again</Button>
        </p>
      )}
      {children(data)}
    </>
  );
}

function titleOf(error: ApiError): string {
  switch (error.kind) {
    case 'unreachable':
      return 'The gateway does not answer';
    case 'failed':
      return 'The gateway could not do this';
    default:
      return error.status === 404 ? 'Not found' : 'The gateway refused this';
  }
}
