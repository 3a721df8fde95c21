/** Reads `model` and `stream` from a form on its way upstream, and checks `allowed_models`. */
import { GatewayError } from '../errors.ts';
import { FormError, type FormSink, MultipartScanner } from '../formats/multipart.ts';
import { boundaryOf, type PartHead } from '../formats/multipart-head.ts';
import { checkModel } from './allowed-models.ts';

/** Some servers take `model[]` or ` Model` for the same field. */
const JUDGED_NAME = /^\s*(model|models|fallbacks|stream)\s*(?:\[.*)?$/i;

interface FormRules {
  /** Those of the key; null allows all, and the form is read only for the usage record. */
  readonly allowedModels: readonly string[] | null;
  readonly needsModel: boolean;
}

/** Is told of the fields as they are found. */
export interface FormOwner {
  onModel(model: string): void;
  onStream(stream: boolean): void;
}

/** One form on its way. Everything here throws GatewayError: invalid_request, model_not_allowed. */
export class FormFields implements FormSink {
  readonly #scanner: MultipartScanner | null;
  readonly #rules: FormRules;
  readonly #owner: FormOwner;
  readonly #seen = new Set<string>();

  constructor(contentType: string, rules: FormRules, owner: FormOwner) {
    this.#rules = rules;
    this.#owner = owner;
    const isJudged = rules.allowedModels !== null;
    const boundary = boundaryOf(contentType);
    if (boundary === null && isJudged) throw invalid("Invalid header 'content-type': a form needs one boundary");
    this.#scanner = boundary === null ? null : new MultipartScanner(boundary, this, isJudged);
  }

  /** @returns the bytes that may go upstream now */
  push(bytes: Uint8Array): Uint8Array {
    return this.#scanner === null ? bytes : inRequest(() => this.#scanner!.push(bytes));
  }

  /** The form has ended. @returns the rest of it */
  end(): Uint8Array {
    const rest = this.#scanner === null ? new Uint8Array(0) : inRequest(() => this.#scanner!.end());
    const { allowedModels, needsModel } = this.#rules;
    if (allowedModels !== null && needsModel && !this.#seen.has('model')) checkModel(allowedModels, null);
    return rest;
  }

  part({ name, isFile, isPlainText }: PartHead): boolean {
    const isJudged = this.#rules.allowedModels !== null;
    const [, field] = JUDGED_NAME.exec(isJudged ? decoded(name) : name) ?? [];
    if (field === undefined) return false;
    const isWanted = name === 'model' || name === 'stream';
    if (isJudged && !isWanted) throw invalid(`Field '${field.toLowerCase()}' is not allowed in this form: use 'model'`);
    if (!isWanted) return false;
    if (this.#seen.has(name)) throw invalid(`Field '${name}' occurs twice`);
    this.#seen.add(name);
    if (isJudged && (isFile || !isPlainText)) throw invalid(`Field '${name}' must be a plain text`);
    return !isFile;
  }

  value({ name }: PartHead, value: Uint8Array | null): void {
    // No name of an allowed model is longer than what is held of a field.
    const text = value === null ? '' : Buffer.from(value).toString();
    if (name === 'stream') {
      this.#owner.onStream(text === 'true');
      return;
    }
    if (this.#rules.allowedModels !== null) checkModel(this.#rules.allowedModels, text);
    if (value !== null) this.#owner.onModel(text);
  }
}

function inRequest(scan: () => Uint8Array): Uint8Array {
  try {
    return scan();
  } catch (error) {
    throw error instanceof FormError ? invalid(error.message) : error;
  }
}

function invalid(message: string): GatewayError {
  return new GatewayError('invalid_request', message);
}

/** As servers that decode names of fields do; a malformed escape stands for itself. */
function decoded(name: string): string {
  return name.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
