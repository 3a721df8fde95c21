/** POST /v1/completions (contract, section 7), emulated by a chat completion. */
import { GatewayError } from '../errors.ts';
import { CompletionError, CompletionRequest } from '../formats/completion-request.ts';
import { inSlices } from '../http/time-slices.ts';
import type { UpstreamRequest } from '../upstream/client.ts';

const PATH = '/completions';

/** The chat completion sent upstream. @throws GatewayError, by rejection: unsupported_streaming_completion, invalid_request */
export async function asChatCompletion(
  request: UpstreamRequest,
  body: Uint8Array,
  isStream: boolean,
): Promise<UpstreamRequest> {
  if (isStream)
    throw new GatewayError(
      'unsupported_streaming_completion',
      'Streaming legacy completions are not supported. Use /v1/chat/completions with stream=true.',
    );
  try {
    const completion = new CompletionRequest(body);
    await inSlices(completion);
    const query = request.target.slice(PATH.length);
    return { ...request, target: `/chat/completions${query}`, body: completion.chatRequest() };
  } catch (error) {
    throw error instanceof CompletionError ? new GatewayError('invalid_request', error.message) : error;
  }
}
