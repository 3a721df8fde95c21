/**
 * A table of any length: only the rows in view exist, between two empty ones as high as the rest. It stays an ordinary
 * table for screen readers. Arrow keys go from row to row, by the link that each row begins with.
 */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { go } from '../state/router.ts';
import { Icon } from './icon.tsx';
import { ScrollRegion } from './scroll-region.tsx';
import type { Sorting } from './sorting.ts';

export interface Column<R> {
  readonly id: string;
  readonly header: string;
  /** Pixels; the columns without share what is left. */
  readonly width?: number;
  readonly align?: 'right';
  /** Is not there when the table is narrower, pixels. */
  readonly minTableWidth?: number;
  readonly cell: (row: R) => ComponentChildren;
  /** Can be sorted by. */
  readonly sortable?: boolean;
}

interface VirtualTableProps<R> {
  readonly label: string;
  readonly columns: readonly Column<R>[];
  readonly rows: readonly R[];
  readonly rowId: (row: R) => string;
  /** Where a click on the row leads; its first cell should hold the same link. */
  readonly rowUrl: (row: R) => string;
  readonly sorting?: Sorting;
  readonly onSort?: (sorting: Sorting) => void;
  /** The last rows are in view: more may be wanted. */
  readonly onEnd?: () => void;
  /** Whether the first row is in view. */
  readonly onTop?: (atTop: boolean) => void;
  /** Instead of rows, when there are none. */
  readonly empty: ComponentChildren;
  readonly footer?: ComponentChildren;
}

export const ROW_HEIGHT = 32;
const ROWS_AROUND = 8;

export function VirtualTable<R>(props: VirtualTableProps<R>) {
  const { label, columns, rows, rowId, rowUrl, sorting, onSort, onEnd, onTop, empty, footer } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 0, width: 0 });

  const look = () => {
    // The event of the last scrolling may come when the table is gone.
    if (scroller.current === null) return;
    const { scrollTop, clientHeight, clientWidth } = scroller.current;
    setView((before) =>
      before.top === scrollTop && before.height === clientHeight && before.width === clientWidth
        ? before
        : { top: scrollTop, height: clientHeight, width: clientWidth },
    );
  };
  useLayoutEffect(() => {
    look();
    const observer = new ResizeObserver(look);
    observer.observe(scroller.current!);
    return () => observer.disconnect();
  }, []);

  const first = Math.max(0, Math.floor(view.top / ROW_HEIGHT) - ROWS_AROUND);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / ROW_HEIGHT) + ROWS_AROUND);
  const shownColumns = useMemo(
    () => columns.filter((column) => view.width === 0 || (column.minTableWidth ?? 0) <= view.width),
    [columns, view.width],
  );
  useLayoutEffect(() => {
    if (rows.length > 0 && last >= rows.length && view.height > 0) onEnd?.();
  }, [last, rows.length, view.height, onEnd]);

  return (
    <ScrollRegion
      scroller={scroller}
      class="table-scroller"
      label={label}
      onScroll={() => {
        look();
        if (scroller.current !== null) onTop?.(scroller.current.scrollTop < ROW_HEIGHT);
      }}
      onKeyDown={(event) => moveFocus(event, scroller.current!, rows.length)}
    >
      <table class="virtual-table" aria-label={label} aria-rowcount={rows.length + 1}>
        <colgroup>
          {shownColumns.map((column) => (
            <col key={column.id} style={column.width === undefined ? undefined : { width: `${column.width}px` }} />
          ))}
        </colgroup>
        <thead>
          <tr aria-rowindex={1}>
            {shownColumns.map((column) => (
              <HeaderCell key={column.id} column={column} sorting={sorting} onSort={onSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          <Space rows={first} columns={shownColumns.length} />
          {rows.slice(first, last).map((row, i) => (
            <tr
              key={rowId(row)}
              aria-rowindex={first + i + 2}
              data-index={first + i}
              onClick={(event) => openRow(event, rowUrl(row))}
            >
              {shownColumns.map((column) => (
                <td key={column.id} class={column.align}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
          <Space rows={rows.length - last} columns={shownColumns.length} />
        </tbody>
      </table>
      {rows.length === 0 && empty}
      {footer}
    </ScrollRegion>
  );
}

interface HeaderCellProps<R> {
  readonly column: Column<R>;
  readonly sorting: Sorting | undefined;
  readonly onSort: ((sorting: Sorting) => void) | undefined;
}

function HeaderCell<R>({ column, sorting, onSort }: HeaderCellProps<R>) {
  const sorted = sorting?.column === column.id ? sorting : null;
  if (!column.sortable || !onSort) {
    return (
      <th scope="col" class={column.align}>
        {column.header}
      </th>
    );
  }
  return (
    <th
      scope="col"
      class={column.align}
      aria-sort={sorted ? (sorted.descending ? 'descending' : 'ascending') : undefined}
    >
      <button
        type="button"
        class="sort"
        onClick={() => onSort({ column: column.id, descending: sorted ? !sorted.descending : false })}
      >
        {column.header}
        {sorted && <Icon name={sorted.descending ? 'down' : 'up'} />}
      </button>
    </th>
  );
}

export function Space({ rows, columns }: { rows: number; columns: number }) {
  if (rows <= 0) return null;
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: a row cannot be focused
    <tr class="space" aria-hidden="true" style={{ height: `${rows * ROW_HEIGHT}px` }}>
      <td colSpan={columns} />
    </tr>
  );
}

/** A click beside a link of the row, which is not the end of a selection of text. */
function openRow(event: MouseEvent, url: string): void {
  if (event.defaultPrevented || !(event.target instanceof Element) || event.target.closest('a, button') !== null)
    return;
  if (window.getSelection()?.toString() !== '') return;
  // Not noopener: a tab that this one opens has its admin key.
  if (event.metaKey || event.ctrlKey) window.open(url, '_blank');
  else go(url);
}

const STEPS: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: 20, PageUp: -20 };

function moveFocus(event: KeyboardEvent, scroller: HTMLElement, rowCount: number): void {
  const step = STEPS[event.key];
  const isEdge = event.key === 'Home' || event.key === 'End';
  if ((step === undefined && !isEdge) || rowCount === 0 || event.ctrlKey || event.metaKey || event.altKey) return;
  const row = document.activeElement?.closest('tr[data-index]');
  const current = row && scroller.contains(row) ? Number(row.getAttribute('data-index')) : -1;
  const wanted = event.key === 'Home' ? 0 : event.key === 'End' ? rowCount - 1 : current + step!;
  const index = Math.max(0, Math.min(rowCount - 1, wanted));
  event.preventDefault();
  const top = index * ROW_HEIGHT;
  const room = scroller.clientHeight - 2 * ROW_HEIGHT;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top > scroller.scrollTop + room) scroller.scrollTop = top - room;
  // The row may have to be drawn first.
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      const link = scroller.querySelector<HTMLElement>(`tr[data-index="${index}"] a, tr[data-index="${index}"] button`);
      link?.focus({ preventScroll: true });
    }),
  );
}
