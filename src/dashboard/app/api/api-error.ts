/**
 * Why a call did not succeed, in the ways a page tells apart: the gateway does not answer, it does not know this admin key,
 * it has no admin API, it refuses the call, or it fails.
 */
type ApiErrorKind = 'unreachable' | 'wrong_key' | 'disabled' | 'refused' | 'failed';

export class ApiError extends Error {
  readonly kind: ApiErrorKind;
  readonly status: number;
  readonly code: string;
  readonly requestId: string | null;

  constructor(
    message: string,
    answer: {
      readonly kind: ApiErrorKind;
      readonly status?: number;
      readonly code?: string;
      readonly requestId?: string | null;
    },
  ) {
    super(message);
    this.kind = answer.kind;
    this.status = answer.status ?? 0;
    this.code = answer.code ?? '';
    this.requestId = answer.requestId ?? null;
  }

  /** Whether the same call may well succeed a little later. */
  get passing(): boolean {
    return this.kind === 'unreachable' || this.kind === 'failed';
  }
}

export function unreachable(): ApiError {
  return new ApiError('The gateway does not answer.', { kind: 'unreachable' });
}

/** From an answer with a status of 400 or more, whose body may be the envelope of the gateway or anything else. */
export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  const { message, code } = readEnvelope(text);
  return new ApiError(message ?? `The gateway answered with status ${response.status}.`, {
    kind: kindOf(response.status, code),
    status: response.status,
    code,
    requestId: response.headers.get('x-request-id'),
  });
}

function kindOf(status: number, code: string): ApiErrorKind {
  if (status === 401) return 'wrong_key';
  if (code === 'admin_disabled') return 'disabled';
  return status >= 500 ? 'failed' : 'refused';
}

function readEnvelope(text: string): { message: string | undefined; code: string } {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown; code?: unknown } };
    return {
      message: typeof error?.message === 'string' ? error.message : undefined,
      code: typeof error?.code === 'string' ? error.code : '',
    };
  } catch {
    return { message: undefined, code: '' };
  }
}
