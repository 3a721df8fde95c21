/**
 * The head of a form's part, and the boundary that a content type announces. Strict: a head that two parsers could read
 * differently (escapes, repeated fields or parameters, folded lines) is none.
 */

export interface PartHead {
  /** Of the field, as it is written. */
  readonly name: string;
  readonly isFile: boolean;
  /** A short text that is what its bytes say in UTF-8: no other charset, no transfer encoding. */
  readonly isPlainText: boolean;
  /** What the part says of itself. */
  readonly contentLength: number | null;
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
/** Behind a backslash some parsers take the next character as it is, and others do not. */
const PARAMETER = `${TOKEN}\\s*=\\s*(?:${TOKEN}|"[^"\\\\\\r\\n]*")`;
const PARAMETERS = `((?:[\\t ]*;[\\t ]*${PARAMETER})*)[\\t ]*;?[\\t ]*`;
const FIELD = new RegExp(`^(${TOKEN}):[\\t ]*([\\t\\x20-\\x7e\\x80-\\xff]*?)[\\t ]*$`);
const DISPOSITION = new RegExp(`^form-data${PARAMETERS}$`, 'i');
const MULTIPART_FORM = new RegExp(`^multipart/form-data${PARAMETERS}$`, 'i');
const EACH_PARAMETER = new RegExp(`;[\\t ]*(${TOKEN})\\s*=\\s*(?:"([^"]*)"|(${TOKEN}))`, 'g');
/** RFC 2046, section 5.1.1. */
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/;
const PLAIN_TEXT = /^text\/plain(?:[\t ]*;[\t ]*charset[\t ]*=[\t ]*"?(?:utf-8|us-ascii)"?)?$/i;
const NO_ENCODING = /^(?:7bit|8bit|binary)$/i;
const LENGTH = /^\d{1,15}$/;
/** The fields of a head that say how to read the part, each once at the most. */
const KNOWN = ['content-disposition', 'content-type', 'content-transfer-encoding', 'content-length'];

/** The boundary of a form's content type; null when it has none, or not exactly one. */
export function boundaryOf(contentType: string): string | null {
  const parameters = MULTIPART_FORM.exec(contentType.trim())?.[1];
  const boundary = parameters === undefined ? null : (parametersOf(parameters)?.get('boundary') ?? null);
  return boundary !== null && BOUNDARY.test(boundary) ? boundary : null;
}

/** @param text in Latin-1, without the empty line @returns what is wrong with it, for the client */
export function readPartHead(text: string): PartHead | string {
  const fields = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const [, field, value] = FIELD.exec(line) ?? [];
    if (field === undefined || value === undefined) return 'A part of the form has an invalid header';
    const name = field.toLowerCase();
    if (!KNOWN.includes(name)) continue;
    if (fields.has(name)) return `A part of the form has two headers '${name}'`;
    fields.set(name, value);
  }
  const disposition = DISPOSITION.exec(fields.get('content-disposition') ?? '')?.[1];
  const parameters = disposition === undefined ? null : parametersOf(disposition);
  const name = parameters?.get('name');
  if (!parameters || name === undefined || parameters.has('name*'))
    return 'A part of the form has an invalid Content-Disposition';
  const type = fields.get('content-type') ?? 'text/plain';
  const encoding = fields.get('content-transfer-encoding') ?? 'binary';
  const length = fields.get('content-length') ?? null;
  if (/^multipart\//i.test(type) || !NO_ENCODING.test(encoding) || (length !== null && !LENGTH.test(length)))
    return 'A part of the form is encoded';
  return {
    name,
    isFile: parameters.has('filename') || parameters.has('filename*'),
    isPlainText: PLAIN_TEXT.test(type),
    contentLength: length === null ? null : Number(length),
  };
}

/** Null when one occurs twice. */
function parametersOf(text: string): Map<string, string> | null {
  const found = new Map<string, string>();
  for (const [, name = '', quoted, token] of text.matchAll(EACH_PARAMETER)) {
    if (found.has(name.toLowerCase())) return null;
    found.set(name.toLowerCase(), quoted ?? token ?? '');
  }
  return found;
}
