/** What is typed into the form of a key, and what is sent of it. */
import type { EndpointName, KeyFields, KeyObject, OnLeave } from '../../api/api-types.ts';

export interface KeyDraft {
  readonly name: string;
  /** Numbers as typed; empty is no limit. */
  readonly rpm_limit: string;
  readonly rpd_limit: string;
  readonly monthly_limit: string;
  readonly monthly_token_limit: string;
  readonly max_concurrent: string;
  /** One a line; empty is every model. */
  readonly allowed_models: string;
  /** null is every endpoint. */
  readonly allowed_endpoints: readonly EndpointName[] | null;
  readonly inject_stream_usage: 'auto' | 'on' | 'off';
  readonly on_leave: 'auto' | 'drain' | 'cancel';
  /** name=value, one a line. */
  readonly tags: string;
  /** As the browser's date and time field has it, local time; empty is never. */
  readonly expires_at: string;
}

type LimitField = 'rpm_limit' | 'rpd_limit' | 'monthly_limit' | 'monthly_token_limit' | 'max_concurrent';

export const LIMIT_FIELDS: readonly { field: LimitField; label: string }[] = [
  { field: 'rpm_limit', label: 'Requests per minute' },
  { field: 'rpd_limit', label: 'Requests per day' },
  { field: 'monthly_limit', label: 'Requests per month' },
  { field: 'monthly_token_limit', label: 'Tokens per month' },
  { field: 'max_concurrent', label: 'Requests at once' },
];

/** The defaults of the gateway. */
export const NEW_KEY: KeyDraft = {
  name: '',
  rpm_limit: '60',
  rpd_limit: '10000',
  monthly_limit: '',
  monthly_token_limit: '',
  max_concurrent: '',
  allowed_models: '',
  allowed_endpoints: null,
  inject_stream_usage: 'auto',
  on_leave: 'auto',
  tags: '',
  expires_at: '',
};

export function draftOf(key: KeyObject): KeyDraft {
  return {
    name: key.name,
    rpm_limit: text(key.rpm_limit),
    rpd_limit: text(key.rpd_limit),
    monthly_limit: text(key.monthly_limit),
    monthly_token_limit: text(key.monthly_token_limit),
    max_concurrent: text(key.max_concurrent),
    allowed_models: (key.allowed_models ?? []).join('\n'),
    allowed_endpoints: key.allowed_endpoints ?? null,
    inject_stream_usage: key.inject_stream_usage === null ? 'auto' : key.inject_stream_usage ? 'on' : 'off',
    on_leave: key.on_leave ?? 'auto',
    tags: Object.entries(key.tags ?? {})
      .map(([name, value]) => `${name}=${value}`)
      .join('\n'),
    expires_at: key.expires_at === null ? '' : localDateTime(Date.parse(key.expires_at)),
  };
}

/** The first thing that is wrong with a draft, as a sentence; null when it can be sent. */
export function problemOf(draft: KeyDraft): string | null {
  if (draft.name.trim() === '') return 'The key needs a name.';
  for (const { field, label } of LIMIT_FIELDS) {
    const value = draft[field].trim();
    if (value !== '' && !/^[1-9]\d*$/.test(value))
      return `${label}: a whole number from 1 on, or nothing for no limit.`;
  }
  if (draft.allowed_endpoints !== null && draft.allowed_endpoints.length === 0) {
    return 'Choose at least one endpoint, or allow all.';
  }
  const badTag = lines(draft.tags).find((line) => !/^[a-z0-9_-]{1,32}=.{0,64}$/.test(line));
  if (badTag !== undefined) return `Tag "${badTag}": write name=value; names have a–z, 0–9, _ and - only.`;
  if (lines(draft.tags).length > 8) return 'A key has at most 8 tags.';
  return null;
}

/** All fields of a draft without problems. */
export function fieldsOf(draft: KeyDraft): KeyFields {
  const models = lines(draft.allowed_models);
  return {
    name: draft.name.trim(),
    rpm_limit: numberOf(draft.rpm_limit),
    rpd_limit: numberOf(draft.rpd_limit),
    monthly_limit: numberOf(draft.monthly_limit),
    monthly_token_limit: numberOf(draft.monthly_token_limit),
    max_concurrent: numberOf(draft.max_concurrent),
    allowed_models: models.length === 0 ? null : models,
    allowed_endpoints: draft.allowed_endpoints,
    inject_stream_usage: draft.inject_stream_usage === 'auto' ? null : draft.inject_stream_usage === 'on',
    on_leave: draft.on_leave === 'auto' ? null : (draft.on_leave satisfies OnLeave),
    tags: Object.fromEntries(lines(draft.tags).map(splitTag)),
    expires_at: draft.expires_at === '' ? null : new Date(draft.expires_at).toISOString(),
  };
}

/** Only what differs: a change by somebody else in between is not undone. */
export function changedFields(before: KeyDraft, after: KeyDraft): Partial<KeyFields> {
  const old = fieldsOf(before);
  const fields = Object.entries(fieldsOf(after)).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(old[name as keyof KeyFields]),
  );
  return Object.fromEntries(fields);
}

function splitTag(line: string): [string, string] {
  const at = line.indexOf('=');
  return [line.slice(0, at), line.slice(at + 1)];
}

function lines(value: string): string[] {
  return value
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
}

function numberOf(value: string): number | null {
  return value.trim() === '' ? null : Number(value);
}

function text(value: number | null): string {
  return value === null ? '' : String(value);
}

function localDateTime(ms: number): string {
  const offsetMs = new Date(ms).getTimezoneOffset() * 60_000;
  return new Date(ms - offsetMs).toISOString().slice(0, 16);
}
