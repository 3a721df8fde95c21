/** Parses a multipart/form-data body (RFC 7578) that is in memory. */

export interface FormFile {
  readonly field: string;
  readonly name: string;
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

export interface Form {
  /** A repeated field has its last value. */
  readonly fields: Readonly<Record<string, string>>;
  readonly files: readonly FormFile[];
}

/** Undefined when the body is no valid form: another content type, no final boundary, a part without a name. */
export function parseForm(contentType: string, body: Uint8Array): Form | undefined {
  const boundary = BOUNDARY.exec(contentType);
  if (!boundary) return undefined;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return parse(bytes, `--${boundary[1] ?? boundary[2]}`);
}

const BOUNDARY = /^multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i;

function parse(body: Buffer, delimiter: string): Form | undefined {
  const fields: Record<string, string> = {};
  const files: FormFile[] = [];
  let at = body.indexOf(delimiter);
  while (at >= 0) {
    const start = at + delimiter.length;
    if (body.toString('latin1', start, start + 2) === '--') return { fields, files };
    const headEnd = body.indexOf('\r\n\r\n', start);
    const end = body.indexOf(`\r\n${delimiter}`, start);
    if (headEnd < 0 || end < headEnd) return undefined;
    const head = body.toString('utf8', start, headEnd);
    const field = parameter(head, 'name');
    if (field === undefined) return undefined;
    const name = parameter(head, 'filename');
    const bytes = body.subarray(headEnd + 4, Math.max(headEnd + 4, end));
    if (name === undefined) fields[field] = bytes.toString('utf8');
    else files.push({ field, name, contentType: contentTypeOf(head), bytes });
    at = end + 2;
  }
  return undefined;
}

function parameter(head: string, name: string): string | undefined {
  return new RegExp(`\\r\\ncontent-disposition:[^\\r]*;\\s*${name}="((?:[^"\\\\]|\\\\.)*)"`, 'i').exec(head)?.[1];
}

function contentTypeOf(head: string): string {
  return /\r\ncontent-type:\s*([^\r]+)/i.exec(head)?.[1] ?? 'application/octet-stream';
}
