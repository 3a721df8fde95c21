/**
 * The client keys of the soak: those that stay as they are, those with limits, and those that are changed all the time. Knows
 * of each which states it may have been in at any time.
 */
import type { AdminClient } from './admin-client.ts';
import { nowMs } from './outcome.ts';
import { type KeyRole, NARROW_ENDPOINTS, NARROW_MODEL, type PlannedRequest } from './planned-request.ts';
import { SettingTimeline } from './timeline.ts';

type KeyState = 'active' | 'suspended' | 'revoked' | 'deleted';
export type LimitField = 'rpm_limit' | 'rpd_limit' | 'max_concurrent';

export interface SoakKey {
  readonly id: string;
  readonly role: KeyRole;
  readonly state: SettingTimeline<KeyState>;
  /** Of each secret whether it works, oldest first. */
  readonly secrets: { readonly text: string; readonly works: SettingTimeline<boolean> }[];
  readonly limits: ReadonlyMap<LimitField, SettingTimeline<number | null>>;
}

const UNLIMITED = { rpm_limit: null, rpd_limit: null };
const PLAIN_KEYS = 4;
const CHURN_KEYS = 6;
const LIMITS: readonly LimitField[] = ['rpm_limit', 'rpd_limit', 'max_concurrent'];
const DAY_LIMIT = 100;

interface Created {
  readonly id: string;
  readonly key: string;
}

export interface CredentialsOf {
  readonly keyId: string | undefined;
  readonly secret: number;
  readonly text: string | null;
}

export class SoakKeys {
  readonly all = new Map<string, SoakKey>();
  readonly #byRole = new Map<KeyRole, SoakKey[]>();
  readonly #admin: AdminClient;
  readonly #random: () => number;
  readonly #lagMs: number;
  /** How often each change was made. */
  readonly changes = new Map<string, number>();

  /** @param lagMs how long a change may take to be in effect in all processes */
  constructor(admin: AdminClient, random: () => number, lagMs: number) {
    this.#admin = admin;
    this.#random = random;
    this.#lagMs = lagMs;
  }

  /** Those that are there from the start. */
  async createAll(): Promise<void> {
    for (let i = 0; i < PLAIN_KEYS; i++) await this.#create('plain', UNLIMITED);
    await this.#create('drains', { ...UNLIMITED, on_leave: 'drain' });
    await this.#create('tokens', { ...UNLIMITED, monthly_token_limit: 1_000_000_000_000 });
    await this.#create('narrow', {
      ...UNLIMITED,
      allowed_models: [NARROW_MODEL],
      allowed_endpoints: Object.values(NARROW_ENDPOINTS),
    });
    await this.#create('minute', { ...UNLIMITED, rpm_limit: 30 });
    await this.#create('day', { ...UNLIMITED, rpd_limit: DAY_LIMIT });
    await this.#create('concurrent', { ...UNLIMITED, max_concurrent: 3 });
    for (let i = 0; i < CHURN_KEYS; i++) await this.#create('churn', UNLIMITED);
  }

  credentialsFor({ role, number }: PlannedRequest): CredentialsOf {
    if (role === 'nobody') return NOBODIES[number % NOBODIES.length]!;
    const keys = this.#byRole.get(role)!;
    const key = keys[number % keys.length]!;
    // Some clients have not heard of the new secret yet.
    const secret = key.secrets.length > 1 && number % 3 === 0 ? key.secrets.length - 2 : key.secrets.length - 1;
    return { keyId: key.id, secret, text: key.secrets[secret]!.text };
  }

  /** Makes one change, drawn from what the state of the keys allows. @throws Error when it is not answered as it must be */
  async change(): Promise<void> {
    const drawn = this.#random();
    if (drawn < 0.1) return this.#limit('minute', 'rpm_limit', 15 + Math.floor(this.#random() * 30));
    if (drawn < 0.2) return this.#limit('concurrent', 'max_concurrent', 2 + Math.floor(this.#random() * 3));
    const churn = this.#byRole.get('churn')!;
    const slot = Math.floor(this.#random() * churn.length);
    const key = churn[slot]!;
    const next = this.#random();
    switch (key.state.last) {
      case 'active':
        if (next < 0.3) return this.#set(key, 'suspend', 'suspended');
        if (next < 0.5) return this.#rotate(key, 0);
        if (next < 0.7) return this.#rotate(key, 1 + Math.floor(this.#random() * 3));
        if (next < 0.85) return this.#rename(key);
        return this.#set(key, 'revoke', 'revoked');
      case 'suspended':
        return next < 0.7 ? this.#set(key, 'activate', 'active') : this.#set(key, 'revoke', 'revoked');
      case 'revoked':
        return this.#delete(key);
      case 'deleted':
        return this.#replace(slot);
    }
  }

  async #create(role: KeyRole, fields: Readonly<Record<string, unknown>>): Promise<SoakKey> {
    const { value, fromMs, toMs } = await this.#changed('create', () =>
      this.#admin.call<Created & Record<string, unknown>>('POST', '/api-keys', 201, {
        name: `soak ${role}`,
        ...fields,
      }),
    );
    const key: SoakKey = {
      id: value.id,
      role,
      state: new SettingTimeline<KeyState>({ value: 'active', fromMs, toMs }, this.#lagMs),
      secrets: [{ text: value.key, works: new SettingTimeline({ value: true, fromMs, toMs }, this.#lagMs) }],
      limits: new Map(
        LIMITS.map((field) => [
          field,
          new SettingTimeline({ value: (value[field] ?? null) as number | null, fromMs, toMs }, this.#lagMs),
        ]),
      ),
    };
    this.all.set(key.id, key);
    this.#byRole.set(role, [...(this.#byRole.get(role) ?? []), key]);
    return key;
  }

  async #replace(slot: number): Promise<void> {
    const key = await this.#create('churn', UNLIMITED);
    const churn = this.#byRole.get('churn')!.filter((each) => each !== key);
    churn[slot] = key;
    this.#byRole.set('churn', churn);
  }

  async #set(key: SoakKey, verb: string, state: KeyState): Promise<void> {
    const { fromMs, toMs } = await this.#changed(verb, () =>
      this.#admin.call('POST', `/api-keys/${key.id}/${verb}`, 200),
    );
    key.state.add({ value: state, fromMs, toMs });
  }

  async #delete(key: SoakKey): Promise<void> {
    const { fromMs, toMs } = await this.#changed('delete', () =>
      this.#admin.call('DELETE', `/api-keys/${key.id}`, 204),
    );
    key.state.add({ value: 'deleted', fromMs, toMs });
  }

  async #rotate(key: SoakKey, graceS: number): Promise<void> {
    const { value, fromMs, toMs } = await this.#changed(graceS === 0 ? 'rotate' : 'rotate with grace', () =>
      this.#admin.call<Created>('POST', `/api-keys/${key.id}/rotate`, 200, { grace_seconds: graceS }),
    );
    const graceMs = graceS * 1_000;
    // Older ones end with the grace at the latest.
    for (const { works } of key.secrets) works.add({ value: false, fromMs: fromMs + graceMs, toMs: toMs + graceMs });
    key.secrets.push({ text: value.key, works: new SettingTimeline({ value: true, fromMs, toMs }, this.#lagMs) });
  }

  async #rename(key: SoakKey): Promise<void> {
    const fields = { name: `soak renamed ${Math.floor(this.#random() * 1e6)}`, tags: { team: 'soak' } };
    await this.#changed('update', () => this.#admin.call('PATCH', `/api-keys/${key.id}`, 200, fields));
  }

  async #limit(role: KeyRole, field: LimitField, value: number): Promise<void> {
    const key = this.#byRole.get(role)![0]!;
    const { fromMs, toMs } = await this.#changed('update limit', () =>
      this.#admin.call('PATCH', `/api-keys/${key.id}`, 200, { [field]: value }),
    );
    key.limits.get(field)!.add({ value, fromMs, toMs });
  }

  async #changed<T>(what: string, change: () => Promise<T>): Promise<{ value: T; fromMs: number; toMs: number }> {
    const fromMs = nowMs();
    const value = await change();
    this.changes.set(what, (this.changes.get(what) ?? 0) + 1);
    return { value, fromMs, toMs: nowMs() };
  }
}

const nobody = (text: string | null): CredentialsOf => ({ keyId: undefined, secret: 0, text });
const NOBODIES: readonly CredentialsOf[] = [
  nobody(null),
  nobody(`sk-bve-${'0'.repeat(64)}`),
  nobody('sk-not-one-of-ours'),
];
