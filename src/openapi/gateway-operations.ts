/** The operations that the gateway answers itself, without upstream and outside /admin. */
import { KEY_STATUS } from './admin-examples.ts';
import { errorRefs } from './error-answers.ts';
import { type DocumentedOperation, jsonContent, objectOf, schemaRef, TEXT } from './operation.ts';

const STATUS = objectOf({ status: TEXT });
const PAGE = { 'text/html': { schema: TEXT } };

export const GATEWAY_OPERATIONS: Readonly<Record<string, DocumentedOperation>> = {
  'GET /v1/key': {
    tags: ['Gateway'],
    summary: 'The limits and usage of the calling key',
    description: 'It costs nothing: no limit counts it, and it leaves no usage record.',
    security: [{ clientKey: [] }, { clientKeyAsHeader: [] }],
    responses: {
      200: { description: 'The key', content: jsonContent(schemaRef('KeyStatus'), KEY_STATUS) },
      ...errorRefs('Client', [401, 403, 500, 503]),
    },
  },
  'GET /': open('What this is', { 200: { description: 'One line', content: { 'text/plain': { schema: TEXT } } } }),
  'GET /health': open('Liveness', {
    200: { description: 'The process runs', content: jsonContent(STATUS, { status: 'ok' }) },
  }),
  'GET /ready': open('Readiness', {
    200: { description: 'It takes requests', content: jsonContent(STATUS, { status: 'ready' }) },
    503: {
      description: 'It drains; or, with READY_REQUIRES_STORE, its store cannot be reached',
      content: jsonContent(STATUS, { status: 'draining' }),
    },
  }),
  'GET /metrics': {
    tags: ['Gateway'],
    summary: 'Metrics for Prometheus',
    security: [{ metricsToken: [] }],
    responses: {
      200: { description: 'The text format', content: { 'text/plain': { schema: TEXT } } },
      ...errorRefs('Client', [401]),
    },
  },
  'GET /openapi.json': open('This document', {
    200: { description: 'OpenAPI 3.1', content: jsonContent({ type: 'object' }, { openapi: '3.1.1' }) },
    304: { description: 'If-None-Match names its ETag' },
  }),
  'GET /docs': open('The API reference', { 200: { description: 'A page that shows this document', content: PAGE } }),
  'GET /dashboard': open('The dashboard', { 200: { description: 'Its page', content: PAGE } }),
  'GET /dashboard/': open('The dashboard', { 308: { description: 'To /dashboard' } }),
  'GET /dashboard/*': open('A page or a file of the dashboard', {
    200: { description: 'The page, or the file', content: PAGE },
    ...errorRefs('Client', [404]),
  }),
};

function open(summary: string, responses: DocumentedOperation['responses']): DocumentedOperation {
  return { tags: ['Gateway'], summary, security: [], responses };
}
