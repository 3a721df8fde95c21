/** Describes what arrived, for answers: a client can check that every byte did. */
import { type Answer, errorAnswer } from './answer.ts';
import type { ReceivedRequest } from './received-request.ts';
import type { MockCall } from './route.ts';

/** The whole request, as it arrived after a gateway or proxy. */
export function echoOf(request: ReceivedRequest): unknown {
  const { method, path, headers } = request;
  return { method, path, headers, ...bodyOf(request, request.form) };
}

/** The form of an upload. */
export function receivedForm({ request, fields, files }: MockCall): unknown {
  return bodyOf(request, { fields, files });
}

/** The error for a form without this file, and for a body that is not a form. */
export function needsFile({ files, path }: MockCall, field: string): Answer | undefined {
  if (files.some((file) => file.field === field || file.field === `${field}[]`)) return undefined;
  return errorAnswer(400, `'${field}' is a required property of a multipart/form-data body`, null, path);
}

function bodyOf({ body }: ReceivedRequest, form: Pick<MockCall, 'fields' | 'files'> | undefined): object {
  const whole = { body_bytes: body.byteLength, body_sha256: sha256(body) };
  if (!form) return whole;
  const files = form.files.map(({ field, name, contentType, bytes }) => {
    return { field, name, content_type: contentType, bytes: bytes.byteLength, sha256: sha256(bytes) };
  });
  return { ...whole, fields: form.fields, files };
}

function sha256(bytes: Uint8Array): string {
  return new Bun.CryptoHasher('sha256').update(bytes).digest('hex');
}
