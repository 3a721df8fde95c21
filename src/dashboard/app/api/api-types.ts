/** The admin API as this application uses it. The shapes are those of the OpenAPI document. */
import type * as Api from './admin-api.gen.ts';

/** What the server told is not changed here. */
type Told<T> = T extends (infer Item)[]
  ? readonly Told<Item>[]
  : T extends object
    ? { readonly [Name in keyof T]: Told<T[Name]> }
    : T;

/** The names of a union, each of them: one that is missing or too many does not compile. */
function namesOf<Name extends string>(names: Readonly<Record<Name, true>>): readonly Name[] {
  return Object.keys(names) as Name[];
}

/** What may be chosen for a key, when it is made and later. */
export type KeyFields = Told<Required<Api.NewKey>>;
export type KeyObject = Told<Api.Key>;
/** The key object with the secret, this once. */
export type IssuedKey = Told<Api.KeyWithSecret>;
export type OnLeave = KeyFields['on_leave'];

/** A key that is active and past its end is refused: it is shown as expired. */
export type ShownKeyState = KeyObject['status'] | 'expired';

export type EndpointName = NonNullable<KeyFields['allowed_endpoints']>[number];
export const ENDPOINT_NAMES = namesOf<EndpointName>({
  chat: true,
  responses: true,
  messages: true,
  embeddings: true,
  completions: true,
  models: true,
  audio: true,
  images: true,
  files: true,
  assistants: true,
  conversations: true,
});

export type KeyLimitName = keyof Api.Limits;
export const LIMIT_NAMES = namesOf<KeyLimitName>({
  requests_per_minute: true,
  requests_per_day: true,
  requests_per_month: true,
  tokens_per_month: true,
  concurrent_requests: true,
});

export type LimitState = Told<Api.Limit>;
export type KeyWithLimits = Told<Api.KeyWithLimits>;

export type UsageByPeriod = Told<Api.Usage>;
export type SummaryAnswer = Told<Api.UsageSummary>;
export type UsageNumbers = SummaryAnswer['total'];
/** `group` is one name, or one of each of the two that were asked for. null: the requests that have none (no tag, no model). */
export type SummaryAnswerRow = SummaryAnswer['rows'][number];

export type RequestRecord = Told<Api.UsageRecord>;
export type RequestFinish = RequestRecord['finish'];
export const FINISHES = namesOf<RequestFinish>({
  complete: true,
  client_closed: true,
  upstream_interrupted: true,
  error: true,
});

export type Target = Told<Api.Target>;
export type TargetState = Target['state'];
export type LiveSnapshot = Told<Api.LiveSnapshot>;

/** The effective configuration, by option: either the value itself or the value and where it comes from. */
export type Configuration = Readonly<Record<string, unknown>>;
