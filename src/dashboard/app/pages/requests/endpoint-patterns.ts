/** Endpoints as records name them, those that are asked for most first. The field takes any other too. */
export const ENDPOINT_PATTERNS = [
  '/v1/chat/completions',
  '/v1/responses',
  '/v1/messages',
  '/v1/messages/count_tokens',
  '/v1/embeddings',
  '/v1/models',
  '/v1/audio/speech',
  '/v1/audio/transcriptions',
  '/v1/images/generations',
  '/v1/images/edits',
  '/v1/files',
  '/v1/files/*',
  '/v1/assistants/*',
  '/v1/threads/*',
  '/v1/vector_stores/*',
  '/v1/conversations/*',
] as const;
