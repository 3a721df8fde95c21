/**
 * What the gateway needs of a JSON body, in one scan that also checks all of it as JSON.parse would: UTF-8 (a byte order mark
 * is passed), the grammar, an object at the root, and nothing nested deeper than 512.
 *
 * Most bodies are scanned at once, without a promise: 64 kB take some microseconds, a tenth of a millisecond if they are made
 * for it. Longer ones are scanned in slices between which other requests go on (see time-slices.ts).
 */
import { isUtf8 } from 'node:buffer';
import { GatewayError } from '../errors.ts';
import {
  JSON_ARRAY,
  JSON_FALSE,
  JSON_NULL,
  JSON_NUMBER,
  JSON_OBJECT,
  JSON_STRING,
  JSON_TRUE,
} from '../formats/json-grammar.ts';
import { JSON_DEPTH_MAX, JsonScanner } from '../formats/json-scanner.ts';
import { NO_SINK } from '../formats/json-sink.ts';
import { decodeString } from '../formats/json-text.ts';
import { type FieldName, RequestFields } from '../formats/request-fields.ts';
import { inSlices, type SlicedWork } from './time-slices.ts';

export interface BodyFields {
  /** Of a very long one the beginning: 682 characters at least. */
  readonly model: string | null;
  readonly stream: boolean;
  /** Where these and the others stand. */
  readonly found: RequestFields;
}

const STEP_BYTES = 64 * 1024;
/** No allowed model has so long a name, and of a longer one only the beginning is recorded. */
const MODEL_BYTES_MAX = 4096;

/** What the fields are made of: two parsers could read a body that has one of these twice differently. */
const ONCE_ONLY = ['model', 'stream'] as const;

const KINDS: Readonly<Record<number, string>> = {
  [JSON_OBJECT]: 'an object',
  [JSON_ARRAY]: 'an array',
  [JSON_STRING]: 'a string',
  [JSON_NUMBER]: 'a number',
  [JSON_TRUE]: 'a boolean',
  [JSON_FALSE]: 'a boolean',
  [JSON_NULL]: 'null',
};

/** Throws, or rejects, with a GatewayError invalid_json, or invalid_request naming the field. */
export function readFields(body: Uint8Array): BodyFields | Promise<BodyFields> {
  if (body.length > STEP_BYTES) {
    const scan = new BodyScan(body, new JsonScanner(NO_SINK));
    return inSlices(scan).then(() => fieldsOf(scan));
  }
  const scan = new BodyScan(body, SCANNER);
  scan.step();
  return fieldsOf(scan);
}

/** The whole body, for those that are small. @throws GatewayError invalid_json */
export function parseObject(body: Uint8Array): Record<string, unknown> {
  const scan = new BodyScan(body, SCANNER);
  while (!scan.step());
  scan.check();
  return JSON.parse(decoder.decode(body)) as Record<string, unknown>;
}

const decoder = new TextDecoder();

/** For bodies that are scanned at once, one after the other: made anew for each it was half of the time of a short one. */
const SCANNER = new JsonScanner(NO_SINK);

class BodyScan implements SlicedWork {
  readonly found: RequestFields;
  #at = 0;
  #isUtf8 = true;

  constructor(
    readonly body: Uint8Array,
    private readonly scanner: JsonScanner,
  ) {
    this.found = new RequestFields(scanner);
    scanner.reset(this.found);
  }

  step(): boolean {
    const { body, scanner } = this;
    const to = startOfCharacter(body, this.#at + STEP_BYTES);
    const piece = this.#at === 0 && to === body.length ? body : body.subarray(this.#at, to);
    this.#isUtf8 = isUtf8(piece);
    if (this.#isUtf8) scanner.push(body, this.#at, to);
    this.#at = to;
    return to === body.length || !this.#isUtf8 || scanner.failed;
  }

  /** Once it is done. @throws GatewayError invalid_json */
  check(): void {
    const { scanner } = this;
    const { isObject } = this.found;
    if (scanner.tooDeep) throw new GatewayError('invalid_json', `Body is nested deeper than ${JSON_DEPTH_MAX}`);
    if (!this.#isUtf8 || !scanner.complete)
      throw new GatewayError('invalid_json', 'The request body is not valid JSON');
    if (!isObject) throw new GatewayError('invalid_json', 'The request body must be a JSON object');
  }
}

function fieldsOf(scan: BodyScan): BodyFields {
  scan.check();
  const { body, found } = scan;
  for (const name of ONCE_ONLY) {
    if ((found.get(name)?.occurrences ?? 0) > 1) {
      throw new GatewayError(
        'invalid_request',
        `Field '${name}' occurs twice (names are compared without regard to case)`,
      );
    }
  }
  const model = found.get('model')?.value ?? null;
  if (model !== null && model.kind !== JSON_STRING) throw wrongType('model', 'a string', model.kind);
  const stream = found.get('stream')?.value?.kind ?? JSON_NULL;
  if (stream !== JSON_NULL && stream !== JSON_TRUE && stream !== JSON_FALSE) {
    throw wrongType('stream', 'a boolean', stream);
  }
  return {
    model: model && decodeString(body, model.from, model.to, MODEL_BYTES_MAX),
    stream: stream === JSON_TRUE,
    found,
  };
}

export function wrongType(field: FieldName, expected: string, kind: number): GatewayError {
  return new GatewayError('invalid_request', `Invalid type for '${field}': expected ${expected}, got ${KINDS[kind]}`);
}

/** `at`, or a little before it, where no character is cut; the end of the body if that comes first. */
function startOfCharacter(body: Uint8Array, at: number): number {
  if (at >= body.length) return body.length;
  let start = at;
  while (start > at - 4 && ((body[start] as number) & 0xc0) === 0x80) start--;
  return start;
}
