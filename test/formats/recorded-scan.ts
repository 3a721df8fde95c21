/** Runs the scanner over a document in pieces, and writes down what it tells. */
import { JsonScanner } from '../../src/formats/json-scanner.ts';
import type { JsonSink } from '../../src/formats/json-sink.ts';
import { ENTERED, type Told, UNWANTED } from './json-oracle.ts';

class RecordedScan implements JsonSink {
  readonly scanner: JsonScanner;
  readonly told: Told[] = [];
  #name: string | null = null;
  #isRoot = true;

  constructor(lenient: boolean) {
    this.scanner = new JsonScanner(this, lenient);
  }

  name(bytes: Uint8Array, from: number, to: number): boolean {
    this.#name = Buffer.from(bytes.subarray(from, to)).toString('latin1');
    return this.#name !== UNWANTED;
  }

  enter(): boolean {
    // An element comes without a name, and so does the root.
    const enters = this.#isRoot || this.#name === null || ENTERED.includes(this.#name);
    this.#isRoot = false;
    if (enters) this.#name = null;
    return enters;
  }

  leave(): void {
    this.#name = null;
    this.told.push({ left: true, to: this.scanner.valueTo });
  }

  value(kind: number): void {
    const { valueFrom: from, valueTo: to } = this.scanner;
    this.told.push({ name: this.#name, kind: String.fromCharCode(kind), from, to });
    this.#name = null;
  }
}

/** What was told of a document; null unless it was one. */
export function scan(pieces: readonly Uint8Array[], lenient = false): Told[] | null {
  const recorded = new RecordedScan(lenient);
  for (const [index, piece] of pieces.entries()) {
    // Somewhere in memory and in a buffer, as a read is: at any distance from a whole word.
    const room = new Uint8Array(new ArrayBuffer(piece.length + 16), index & 3).fill(0x22);
    const from = 3 + (piece.length & 3);
    room.set(piece, from);
    recorded.scanner.push(room, from, from + piece.length);
  }
  return recorded.scanner.complete ? recorded.told : null;
}
