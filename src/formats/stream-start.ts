/**
 * Judges how a stream begins: with an error that upstream reports, or with content. For streams that may be tried on another
 * target (RETRY_STREAM_ERRORS); no other stream is read in this way. Works for every format, on whole events only.
 */

/** - `undecided`: only events without content so far */
type StreamStartVerdict = 'undecided' | 'error' | 'content';

/** Events that tell of progress, before any content. */
const PROGRESS =
  /^(ping|message_start|response\.(created|queued|in_progress)|thread\.created|thread\.run\.(created|queued|in_progress))$/;
const ERROR = /^(error|response\.failed|thread\.run\.failed)$/;
const EVENT_END = /\r\n\r\n|\n\n|\r\r/;

export class StreamStart {
  #rest = '';
  readonly #decoder = new TextDecoder();

  push(bytes: Uint8Array): StreamStartVerdict {
    const events = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split(EVENT_END);
    this.#rest = events.pop()!;
    for (const event of events) {
      const verdict = verdictOn(event);
      if (verdict !== 'undecided') return verdict;
    }
    return 'undecided';
  }
}

function verdictOn(event: string): StreamStartVerdict {
  let name = '';
  const data: string[] = [];
  for (const line of event.split(/\r\n|\n|\r/)) {
    const [, field, value] = /^(event|data): ?(.*)$/s.exec(line.replace(/^\ufeff/, '')) ?? [];
    if (field === 'event') name = value!;
    else if (field === 'data') data.push(value!);
  }
  if (ERROR.test(name)) return 'error';
  if (data.length === 0) return 'undecided';
  const document = parsed(data.join('\n'));
  if (document === null) return 'content';
  const type = typeof document.type === 'string' ? document.type : name;
  if (ERROR.test(type) || (document.error !== undefined && document.error !== null)) return 'error';
  return PROGRESS.test(type) || isEmptyChunk(document) ? 'undecided' : 'content';
}

type Fields = Readonly<Record<string, unknown>>;

function parsed(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A chat chunk that names the role at the most. */
function isEmptyChunk({ choices, usage }: Fields): boolean {
  if (!Array.isArray(choices) || isObject(usage)) return false;
  return choices.every((choice) => {
    if (!isObject(choice) || (choice.finish_reason ?? null) !== null || !isObject(choice.delta)) return false;
    return Object.entries(choice.delta).every(([key, value]) => key === 'role' || isNothing(value));
  });
}

function isNothing(value: unknown): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0);
}
