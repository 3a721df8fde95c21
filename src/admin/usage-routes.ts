/** The routes of usage: rows by day and month, summaries, single records. */
import { Elysia } from 'elysia';
import { GatewayError } from '../errors.ts';
import type { UsageStore } from '../store/store.ts';
import { recordsQueryFrom, summaryQueryFrom, usageQueryFrom } from './usage-parameters.ts';
import { readUsageReport, usageRecordToJson, usageReportToJson } from './usage-report.ts';
import { summaryToJson } from './usage-summary-json.ts';

/** How long a read waits for the usage writer when the database is locked. */
const FLUSH_DEADLINE_MS = 250;
/** More rows would block the event loop, and with it all streams, for too long. */
const ROWS_MAX = 10_000;

export interface UsageRoutesOptions {
  readonly store: UsageStore;
  /** Writes pending records to the store, so that a response includes requests that have just ended. */
  flushUsage(deadlineMs: number): Promise<unknown>;
}

export function usageRoutes({ store, flushUsage }: UsageRoutesOptions) {
  return new Elysia()
    .get('/usage', async ({ request }) => {
      const query = usageQueryFrom(request.url);
      await flushUsage(FLUSH_DEADLINE_MS);
      const report = await readUsageReport(store, query, Date.now(), ROWS_MAX);
      if (Math.max(report.daily.length, report.monthly.length) > ROWS_MAX) throw tooManyRows();
      return Response.json(usageReportToJson(report));
    })
    .get('/usage/summary', async ({ request }) => {
      const query = summaryQueryFrom(request.url, ROWS_MAX);
      await flushUsage(FLUSH_DEADLINE_MS);
      const summary = await store.usageSummary(query);
      if (summary.rows.length > ROWS_MAX) throw tooManyRows();
      return Response.json(summaryToJson(summary));
    })
    .get('/requests', async ({ request }) => {
      const query = recordsQueryFrom(request.url);
      await flushUsage(FLUSH_DEADLINE_MS);
      return Response.json((await store.recentUsage(query)).map(usageRecordToJson));
    });
}

function tooManyRows(): GatewayError {
  return new GatewayError('invalid_request', `More than ${ROWS_MAX} rows: narrow 'from' and 'to', or 'key_id'`);
}
