/** One numbered step of the schema. A step that was released is never edited: a change is a new step. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  /** Each runs by itself, in order, all of them in one transaction. Only what SQLite and Postgres both understand. */
  readonly statements: readonly string[];
  /** Behind them, on Postgres alone. */
  readonly onPostgres?: readonly string[];
}
