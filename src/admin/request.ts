/** How routes of the admin API read a request. */
import type { Caller } from './audit-log.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export interface AdminRequests {
  /** @throws GatewayError invalid_json, request_too_large, request_timeout */
  readBody(request: Request): Promise<JsonObject>;
  /** {} when there is no body. @throws as readBody */
  readOptionalBody(request: Request): Promise<JsonObject>;
  callerOf(request: Request): Caller;
}

/** Keeps Elysia from parsing the body: handlers read it with a bound and a deadline. */
export const UNREAD = { parse: 'none' } as const;
