/** A state as a coloured dot and a word: colour never stands alone. */
import type { RequestFinish, ShownKeyState, TargetState } from '../api/api-types.ts';

type Tone = 'ok' | 'warn' | 'error' | 'off';

export function Badge({ tone, children, title }: { tone: Tone; children: string; title?: string | undefined }) {
  return (
    <span class={`badge ${tone}`} title={title}>
      <span class="dot" />
      <span class="badge-text">{children}</span>
    </span>
  );
}

const FINISH_TONES: Readonly<Record<RequestFinish, Tone>> = {
  complete: 'ok',
  client_closed: 'off',
  upstream_interrupted: 'warn',
  error: 'error',
};

export const FINISH_NAMES: Readonly<Record<RequestFinish, string>> = {
  complete: 'complete',
  client_closed: 'client left',
  upstream_interrupted: 'interrupted',
  error: 'error',
};

export function FinishBadge({ finish, errorCode }: { finish: RequestFinish; errorCode: string | null | undefined }) {
  const name = FINISH_NAMES[finish] ?? finish;
  return (
    <Badge tone={FINISH_TONES[finish] ?? 'off'} title={errorCode ? `${name}: ${errorCode}` : name}>
      {errorCode && finish === 'error' ? errorCode : name}
    </Badge>
  );
}

const KEY_TONES: Readonly<Record<ShownKeyState, Tone>> = {
  active: 'ok',
  suspended: 'warn',
  expired: 'off',
  revoked: 'error',
};

export function KeyStatusBadge({ status }: { status: ShownKeyState }) {
  return <Badge tone={KEY_TONES[status]}>{status}</Badge>;
}

const TARGET_TONES: Readonly<Record<TargetState, Tone>> = { up: 'ok', probing: 'warn', resting: 'error' };

export function TargetBadge({ state }: { state: TargetState }) {
  return <Badge tone={TARGET_TONES[state] ?? 'off'}>{state}</Badge>;
}

export function StatusCode({ status }: { status: number }) {
  const tone = status >= 500 ? 'error' : status >= 400 ? 'warn' : 'ok';
  return <span class={`status-code ${tone}`}>{status}</span>;
}
