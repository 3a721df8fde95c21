/** What a table is sorted by. */
export interface Sorting {
  readonly column: string;
  readonly descending: boolean;
}
