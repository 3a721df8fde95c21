/** Files: uploaded in a form, and downloaded again byte for byte. */
import { type Answer, attachment, bytes, json } from '../answer.ts';
import { needsFile, receivedForm } from '../received.ts';
import { create, list, type Resource, routesOf, withObject } from '../resource.ts';
import type { MockCall, MockRoute } from '../route.ts';

const FILES: Resource = {
  path: '/files',
  object: 'file',
  deletedObject: 'file',
  idPrefix: 'file-',
  calls: ['retrieve', 'delete'],
  create: (call) => ({
    bytes: call.files[0]!.bytes.byteLength,
    filename: call.files[0]!.name,
    purpose: call.fields.purpose ?? 'assistants',
    status: 'processed',
    expires_at: null,
    mock: receivedForm(call),
  }),
};

export const fileRoutes: readonly MockRoute[] = [
  { method: 'POST', path: FILES.path, answer: (call) => needsFile(call, 'file') ?? json(create(call, FILES)) },
  { method: 'GET', path: FILES.path, answer: listed },
  ...routesOf(FILES),
  { method: 'GET', path: '/files/{id}/content', answer: content },
];

function listed(call: MockCall): Answer {
  const purpose = call.query.get('purpose');
  const all = call.objects.list(FILES.path).filter((file) => purpose === null || file.purpose === purpose);
  return json(list(call, FILES.path, all));
}

function content(call: MockCall): Answer {
  const path = call.path.slice(0, -'/content'.length);
  return withObject(
    call,
    'file',
    ({ id, filename }) =>
      attachment(bytes(call.objects.content(FILES.path, id)!, 'application/octet-stream'), String(filename)),
    path,
  );
}
