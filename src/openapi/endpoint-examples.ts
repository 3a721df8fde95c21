/** Words and examples for endpoints that deserve more than what follows from their row, by method and path. */
const CHAT_MESSAGES = [{ role: 'user', content: 'What is a gateway?' }];
const CHAT_USAGE = { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 };
const RESPONSE_USAGE = { input_tokens: 12, output_tokens: 5, total_tokens: 17 };

export const SUMMARIES: Readonly<Record<string, string>> = {
  'POST /v1/chat/completions': 'Create a chat completion',
  'GET /v1/chat/completions': 'List stored chat completions',
  'GET /v1/chat/completions/:completion': 'One stored chat completion',
  'POST /v1/chat/completions/:completion': 'Change the metadata of a stored chat completion',
  'DELETE /v1/chat/completions/:completion': 'Delete a stored chat completion',
  'GET /v1/chat/completions/:completion/messages': 'The messages of a stored chat completion',
  'POST /v1/completions': 'Create a legacy completion',
  'POST /v1/responses': 'Create a response',
  'POST /v1/responses/compact': 'Compact a conversation',
  'POST /v1/responses/input_tokens': 'Count the input tokens of a response',
  'GET /v1/responses/:response': 'One stored response; `?stream=true` streams it',
  'DELETE /v1/responses/:response': 'Delete a stored response',
  'GET /v1/responses/:response/input_items': 'The input items of a stored response',
  'POST /v1/responses/:response/cancel': 'Cancel a response in the background',
  'POST /v1/messages': 'Create a message (Anthropic)',
  'POST /v1/messages/count_tokens': 'Count the tokens of a message (Anthropic)',
  'POST /v1/embeddings': 'Create embeddings',
  'GET /v1/models': 'List models',
  'GET /v1/models/:model': 'One model',
  'POST /v1/audio/speech': 'Speech from a text',
  'POST /v1/audio/transcriptions': 'A text from speech',
  'POST /v1/images/generations': 'Create images',
  'POST /v1/images/edits': 'Edit images',
  'GET /v1/files': 'List files',
  'POST /v1/files': 'Upload a file',
  'GET /v1/assistants': 'List assistants',
  'POST /v1/assistants': 'Create an assistant',
  'GET /v1/vector_stores': 'List vector stores',
  'POST /v1/vector_stores': 'Create a vector store',
  'GET /v1/threads': 'List threads',
  'POST /v1/threads': 'Create a thread',
  'GET /v1/conversations': 'List conversations',
  'POST /v1/conversations': 'Create a conversation',
  'POST /v1/threads/runs': 'Create a thread and run it',
  'POST /v1/threads/:thread/runs': 'Run an assistant on a thread',
  'POST /v1/threads/:thread/runs/:run/submit_tool_outputs': 'Go on with a run that waits for its tools',
};

export const BODIES: Readonly<Record<string, object>> = {
  'POST /v1/chat/completions': { model: 'gpt-4o', stream: true, messages: CHAT_MESSAGES },
  'POST /v1/chat/completions/:completion': { metadata: { topic: 'gateways' } },
  'POST /v1/completions': { model: 'gpt-4o', prompt: 'A gateway is' },
  'POST /v1/responses': { model: 'gpt-4o', input: 'What is a gateway?' },
  'POST /v1/responses/compact': { model: 'gpt-4o', previous_response_id: 'resp_123' },
  'POST /v1/responses/input_tokens': { model: 'gpt-4o', input: 'What is a gateway?' },
  'POST /v1/messages': { model: 'claude-sonnet-4', max_tokens: 256, messages: CHAT_MESSAGES },
  'POST /v1/messages/count_tokens': { model: 'claude-sonnet-4', messages: CHAT_MESSAGES },
  'POST /v1/embeddings': { model: 'text-embedding-3-small', input: 'gateway' },
  'POST /v1/audio/speech': { model: 'tts-1', voice: 'alloy', input: 'A gateway.' },
  'POST /v1/audio/transcriptions': { model: 'whisper-1', file: 'speech.mp3' },
  'POST /v1/images/generations': { model: 'gpt-image-1', prompt: 'a gate' },
  'POST /v1/images/edits': { model: 'gpt-image-1', prompt: 'a red gate', image: 'gate.png' },
  'POST /v1/files': { purpose: 'assistants', file: 'notes.txt' },
  'POST /v1/assistants': { model: 'gpt-4o', name: 'helper' },
  'POST /v1/vector_stores': { name: 'notes' },
  'POST /v1/threads': { messages: CHAT_MESSAGES },
  'POST /v1/threads/runs': { assistant_id: 'asst_123', stream: true, thread: { messages: CHAT_MESSAGES } },
  'POST /v1/threads/:thread/runs': { assistant_id: 'asst_123', stream: true },
  'POST /v1/threads/:thread/runs/:run/submit_tool_outputs': {
    stream: true,
    tool_outputs: [{ tool_call_id: 'call_123', output: '42' }],
  },
};

interface AnswerExample {
  readonly json: object;
  readonly stream?: string;
}

export const ANSWERS: Readonly<Record<string, AnswerExample>> = {
  'POST /v1/chat/completions': {
    json: {
      id: 'chatcmpl-123',
      object: 'chat.completion',
      model: 'gpt-4o',
      choices: [{ index: 0, message: { role: 'assistant', content: 'A door.' }, finish_reason: 'stop' }],
      usage: CHAT_USAGE,
    },
    stream:
      'data: {"id":"chatcmpl-123","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"A door."}}]}\n\n' +
      'data: [DONE]\n\n',
  },
  'POST /v1/completions': {
    json: {
      id: 'cmpl-123',
      object: 'text_completion',
      model: 'gpt-4o',
      choices: [{ index: 0, text: ' a door.', finish_reason: 'stop', logprobs: null }],
      usage: CHAT_USAGE,
    },
  },
  'POST /v1/responses': {
    json: { id: 'resp_123', object: 'response', status: 'completed', output: [], usage: RESPONSE_USAGE },
    stream: 'event: response.completed\ndata: {"type":"response.completed","sequence_number":9,"response":{}}\n\n',
  },
  'POST /v1/messages': {
    json: {
      id: 'msg_123',
      type: 'message',
      role: 'assistant',
      content: [{ type: 'text', text: 'A door.' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 12, output_tokens: 5 },
    },
    stream: 'event: message_stop\ndata: {"type":"message_stop"}\n\n',
  },
  'POST /v1/messages/count_tokens': { json: { input_tokens: 12 } },
  'POST /v1/embeddings': {
    json: { object: 'list', data: [{ object: 'embedding', index: 0, embedding: [0.1, 0.2] }], usage: CHAT_USAGE },
  },
  'GET /v1/models': { json: { object: 'list', data: [{ id: 'gpt-4o', object: 'model', owned_by: 'openai' }] } },
  'GET /v1/models/:model': { json: { id: 'gpt-4o', object: 'model', owned_by: 'openai' } },
  'POST /v1/audio/transcriptions': { json: { text: 'A gateway.' } },
};
