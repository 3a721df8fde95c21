/**
 * The events of a stream as a browser reads them (HTML 9.2.6), in the simplest way and on the whole text: the reference for
 * the gateway's own scanner and for what it passes on.
 */
interface StreamEvent {
  /** Undefined for an event without a name. */
  readonly event: string | undefined;
  readonly data: string;
}

/** The events with data, `[DONE]` included; also a last one without its blank line. */
export function eventsOf(text: string): StreamEvent[] {
  return text
    .replace(/\r\n?/g, '\n')
    .split('\n\n')
    .map((block) => {
      const lines = block.split('\n');
      const values = (field: string) =>
        lines
          .filter((line) => line.startsWith(`${field}:`))
          .map((line) => line.slice(field.length + 1).replace(/^ /, ''));
      return { event: values('event').at(-1), data: values('data').join('\n') };
    })
    .filter(({ data }) => data !== '');
}
