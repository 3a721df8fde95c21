/** HOST and PORT cannot be listened on; `cause` is Bun's error. */
export class ListenError extends Error {
  /** EADDRINUSE …; a message where Bun has no code. */
  readonly reason: string;

  constructor(
    cause: unknown,
    readonly option: 'PORT' | 'METRICS_PORT',
  ) {
    const { code, message } = cause as { code?: unknown; message?: unknown };
    const reason = /^E[A-Z_]+$/.test(String(code)) ? String(code) : String(message).split('\n')[0]!;
    super(`cannot listen: ${reason}`, { cause });
    this.reason = reason;
  }
}
