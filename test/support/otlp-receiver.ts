/**
 * An OpenTelemetry collector as far as traces go: takes OTLP/HTTP and decodes the protobuf by the field numbers of
 * opentelemetry/proto/trace/v1/trace.proto, with no code of the sender's.
 */
import { gunzipSync } from 'node:zlib';

type AttributeValue = string | number | boolean | null;

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly traceState: string;
  readonly name: string;
  /** 2: SERVER, 3: CLIENT. */
  readonly kind: number;
  /** Nanoseconds since 1970. */
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** 0: unset, 2: error. */
  readonly statusCode: number;
  readonly resource: Readonly<Record<string, AttributeValue>>;
}

export interface OtlpReceiver extends AsyncDisposable {
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** As they came, unzipped. */
  readonly bodies: readonly Buffer[];
  readonly requests: readonly { readonly path: string; readonly headers: Headers }[];
}

export function startOtlpReceiver(): OtlpReceiver {
  const spans: ReceivedSpan[] = [];
  const bodies: Buffer[] = [];
  const requests: { path: string; headers: Headers }[] = [];
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const sent = Buffer.from(await request.arrayBuffer());
      const body = request.headers.get('content-encoding') === 'gzip' ? gunzipSync(sent) : sent;
      requests.push({ path: new URL(request.url).pathname, headers: request.headers });
      bodies.push(body);
      spans.push(...spansIn(body));
      return new Response(new Uint8Array(), { headers: { 'content-type': 'application/x-protobuf' } });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    spans,
    bodies,
    requests,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

type Field = bigint | Buffer;
type Message = ReadonlyMap<number, readonly Field[]>;

function spansIn(body: Buffer): ReceivedSpan[] {
  return messages(decode(body), 1).flatMap((resourceSpans) => {
    const resource = attributesOf(messages(resourceSpans, 1)[0] ?? new Map(), 1);
    return messages(resourceSpans, 2).flatMap((scope) => messages(scope, 2).map((span) => spanOf(span, resource)));
  });
}

function spanOf(span: Message, resource: ReceivedSpan['resource']): ReceivedSpan {
  return {
    traceId: bytes(span, 1).toString('hex'),
    spanId: bytes(span, 2).toString('hex'),
    traceState: bytes(span, 3).toString(),
    parentSpanId: bytes(span, 4).toString('hex') || null,
    name: bytes(span, 5).toString(),
    kind: Number(number(span, 6)),
    start: number(span, 7),
    end: number(span, 8),
    attributes: attributesOf(span, 9),
    statusCode: Number(number(messages(span, 15)[0] ?? new Map(), 3)),
    resource,
  };
}

function attributesOf(message: Message, field: number): Record<string, AttributeValue> {
  return Object.fromEntries(
    messages(message, field).map((pair) => [
      bytes(pair, 1).toString(),
      attributeValue(messages(pair, 2)[0] ?? new Map()),
    ]),
  );
}

function attributeValue(value: Message): AttributeValue {
  if (value.has(1)) return bytes(value, 1).toString();
  if (value.has(2)) return number(value, 2) === 1n;
  if (value.has(3)) return Number(BigInt.asIntN(64, number(value, 3)));
  if (!value.has(4)) return null;
  const bits = Buffer.alloc(8);
  bits.writeBigUInt64LE(number(value, 4));
  return bits.readDoubleLE();
}

function messages(message: Message, field: number): Message[] {
  return (message.get(field) ?? []).map((value) => decode(value as Buffer));
}

function bytes(message: Message, field: number): Buffer {
  return (message.get(field)?.at(-1) as Buffer | undefined) ?? Buffer.alloc(0);
}

function number(message: Message, field: number): bigint {
  return (message.get(field)?.at(-1) as bigint | undefined) ?? 0n;
}

/** Of the wire format: varint (0), eight bytes (1), a length and bytes (2), four bytes (5). */
function decode(buffer: Buffer): Message {
  const fields = new Map<number, Field[]>();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = buffer.readUInt8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (length: number) => {
    if (at + length > buffer.length) throw new Error('a field is longer than its message');
    at += length;
    return buffer.subarray(at - length, at);
  };
  const read = (wireType: number): Field => {
    if (wireType === 0) return varint();
    if (wireType === 1) return take(8).readBigUInt64LE();
    if (wireType === 2) return take(Number(varint()));
    if (wireType === 5) return BigInt(take(4).readUInt32LE());
    throw new Error(`wire type ${wireType}`);
  };
  while (at < buffer.length) {
    const tag = Number(varint());
    const value = read(tag & 7);
    const field = tag >> 3;
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}
