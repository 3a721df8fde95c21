/** A small OpenAPI 3.1 document with everything that the API reference must be able to show. */
const error = {
  description: 'Refused',
  content: {
    'application/json': {
      schema: { $ref: '#/components/schemas/Error' },
      example: { error: { message: 'Invalid API key', type: 'invalid_request_error', code: 'invalid_api_key' } },
    },
  },
};

export const FAKE_OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'BVE Gateway',
    version: '0.1.0',
    description: 'The API for clients, and the admin API.\n\n- Clients: a key `sk-bve-…`.\n- Admins: `ADMIN_API_KEY`.',
  },
  tags: [
    { name: 'Generate', description: 'What clients call.' },
    { name: 'Keys', description: 'Keys of the gateway.' },
    { name: 'Health' },
  ],
  paths: {
    '/v1/chat/completions': {
      post: {
        tags: ['Generate'],
        summary: 'Create a chat completion',
        description: 'Passed through byte for byte. With `"stream": true` the answer is a stream of events.',
        security: [{ clientKey: [] }],
        requestBody: {
          required: true,
          content: {
            'application/json': {
              schema: {
                type: 'object',
                required: ['model', 'messages'],
                properties: {
                  model: { type: 'string', description: 'Its name in `GET /v1/models`.' },
                  stream: { type: 'boolean', default: false },
                  messages: {
                    type: 'array',
                    minItems: 1,
                    items: {
                      type: 'object',
                      required: ['role'],
                      properties: {
                        role: { enum: ['system', 'user', 'assistant'] },
                        content: { type: ['string', 'null'] },
                      },
                    },
                  },
                },
              },
              example: { model: 'gpt-4o', messages: [{ role: 'user', content: "What's a gateway?" }] },
            },
          },
        },
        responses: {
          200: { description: "Upstream's answer", content: { 'application/json': { schema: { type: 'object' } } } },
          401: { $ref: '#/components/responses/Unauthorized' },
        },
      },
    },
    '/admin/api-keys/{id}': {
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string', format: 'uuid' } }],
      get: {
        tags: ['Keys'],
        summary: 'One key',
        security: [{ adminKey: [] }],
        responses: {
          200: {
            description: 'The key',
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Key' } } },
          },
        },
      },
      delete: {
        tags: ['Keys'],
        summary: 'Delete a revoked key',
        security: [{ adminKey: [] }],
        responses: { 204: { description: 'Deleted' }, 409: error },
      },
    },
    '/admin/requests': {
      get: {
        tags: ['Keys'],
        summary: 'Usage records',
        security: [{ adminKey: [] }],
        parameters: [
          {
            name: 'limit',
            in: 'query',
            description: 'How many.',
            schema: { type: 'integer', minimum: 1, maximum: 1000, default: 50 },
          },
        ],
        responses: { 200: { description: 'Records, newest first' } },
      },
    },
    '/health': {
      get: { tags: ['Health'], summary: 'Liveness', security: [], responses: { 200: { description: 'It runs' } } },
    },
  },
  components: {
    responses: { Unauthorized: error },
    securitySchemes: {
      clientKey: { type: 'http', scheme: 'bearer', description: 'A client key: `Authorization: Bearer sk-bve-…`.' },
    },
    schemas: {
      Error: {
        type: 'object',
        properties: {
          error: {
            type: 'object',
            properties: { message: { type: 'string' }, type: { type: 'string' }, code: { type: 'string' } },
          },
        },
      },
      Key: {
        allOf: [
          { type: 'object', required: ['id'], properties: { id: { type: 'string', format: 'uuid' } } },
          {
            type: 'object',
            properties: {
              tags: { type: 'object', maxProperties: 8 },
              rpm_limit: { anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }] },
            },
          },
        ],
      },
    },
  },
};
