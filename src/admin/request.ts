/** What the routes of the admin API are given of a request. */
import type { Caller } from './audit-log.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export interface AdminRequests {
  /** @throws GatewayError invalid_json, request_too_large, request_timeout */
  readBody(request: Request): Promise<JsonObject>;
  /** {} for none. @throws as readBody */
  readOptionalBody(request: Request): Promise<JsonObject>;
  callerOf(request: Request): Caller;
}

/** The body is read by whoever needs it, and not by Elysia. */
export const UNREAD = { parse: 'none' } as const;
