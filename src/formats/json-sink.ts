/** Receives what a JsonScanner finds. */
export interface JsonSink {
  /**
   * A member of the watched object begins. `bytes` from `from` to `to` are its name as it is written, without the quotes and
   * only lent for the call. Names longer than NAME_BYTES_MAX are not told of.
   * @returns whether its value is wanted; an element of a watched array always is, and so is the root
   */
  name(bytes: Uint8Array, from: number, to: number): boolean;
  /** A wanted value is an object or array that begins at `scanner.valueFrom`. @returns whether to watch what is in it */
  enter(kind: number): boolean;
  /** The watched object or array is over at `scanner.valueTo`; the one around it is watched again. */
  leave(): void;
  /**
   * A wanted value that was not entered is over: `scanner.valueFrom`, `valueTo` and, unless it is a container, `text`. A number
   * that is all of the document, to its last byte, is never over.
   */
  value(kind: number): void;
}

/** More than any name that is looked for needs, each of its characters spelled `\u0000`. */
export const NAME_BYTES_MAX = 192;

/** Until there is one. */
export const NO_SINK: JsonSink = { name: () => false, enter: () => false, leave: () => {}, value: () => {} };
