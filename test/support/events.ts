/**
 * The events of a stream as a browser reads them (HTML 9.2.6), in the plainest way and on the whole text: the tests judge the
 * gateway's own scanner, and what it passes on, by it.
 */
export interface StreamEvent {
  /** Undefined for an event without a name. */
  readonly event: string | undefined;
  readonly data: string;
}

/** Those with data, `[DONE]` included. A last one without its blank line counts, too. */
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
