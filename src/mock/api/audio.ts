/** Speech (binary, or events) and transcriptions (a form, answered as JSON, text or events). */
import { type Answer, attachment, binary, bytes, json, stream } from '../answer.ts';
import { binaryBytes } from '../binary.ts';
import { type Completion, completionFor, PROMPT_TOKENS, tokenEvent } from '../completion.ts';
import { needsFile, receivedForm } from '../received.ts';
import type { MockCall, MockRoute } from '../route.ts';

export const audioRoutes: readonly MockRoute[] = [
  { method: 'POST', path: '/audio/speech', answer: speech },
  { method: 'POST', path: '/audio/transcriptions', answer: (call) => needsFile(call, 'file') ?? transcription(call) },
];

const SPEECH_BYTES = 48_000;
/** Audio bytes in one event. */
const DELTA_BYTES = 3_000;

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  mp3: 'audio/mpeg',
  opus: 'audio/ogg',
  aac: 'audio/aac',
  flac: 'audio/flac',
  wav: 'audio/wav',
  pcm: 'audio/pcm',
};

function speech(call: MockCall): Answer {
  const format = String(call.fields.response_format ?? 'mp3');
  if (call.fields.stream_format === 'sse') return stream(speechEvents(call));
  return attachment(binary(SPEECH_BYTES, CONTENT_TYPES[format] ?? 'application/octet-stream'), `speech.${format}`);
}

/** Ends with `speech.audio.done` and its usage; there is no `[DONE]`. */
function speechEvents({ scenario }: MockCall) {
  const audio = binaryBytes(SPEECH_BYTES);
  const count = scenario.events ?? SPEECH_BYTES / DELTA_BYTES;
  const usage = scenario.usage ?? usageOf(count);
  return {
    prelude: [],
    count,
    token: (i: number) => {
      const from = (i * DELTA_BYTES) % SPEECH_BYTES;
      const delta = audio.toString('base64', from, from + DELTA_BYTES);
      return data({ type: 'speech.audio.delta', ...(scenario.events === undefined ? {} : { i }), audio: delta });
    },
    epilogue: [data({ type: 'speech.audio.done', usage })],
  };
}

function transcription(call: MockCall): Answer {
  const of = completionFor(call.fields, call.scenario);
  if (call.fields.stream === 'true') return stream(transcriptEvents(of));
  const usage = of.usage ?? { type: 'tokens', ...usageOf(of.tokenCount) };
  switch (call.fields.response_format) {
    case 'text':
      return bytes(Buffer.from(`${of.text}\n`), 'text/plain; charset=utf-8');
    case 'srt':
      return bytes(Buffer.from(`1\n00:00:00,000 --> 00:00:04,000\n${of.text}\n\n`), 'text/plain; charset=utf-8');
    case 'vtt':
      return bytes(Buffer.from(`WEBVTT\n\n00:00.000 --> 00:04.000\n${of.text}\n\n`), 'text/vtt; charset=utf-8');
    case 'verbose_json':
      return json({
        task: 'transcribe',
        language: 'english',
        duration: 4,
        text: of.text,
        segments: [{ id: 0, start: 0, end: 4, text: of.text }],
        usage: { type: 'duration', seconds: 4 },
        mock: receivedForm(call),
      });
    default:
      return json({ text: of.text, usage, mock: receivedForm(call) });
  }
}

/** Ends with `transcript.text.done` and its usage; there is no `[DONE]`. */
function transcriptEvents(of: Completion) {
  const usage = of.usage ?? { type: 'tokens', ...usageOf(of.tokenCount) };
  return {
    prelude: [],
    count: of.tokenCount,
    token: (i: number) => tokenEvent(of, i, 'data: {"type":"transcript.text.delta",', '"delta":"', '"}\n\n'),
    epilogue: [data({ type: 'transcript.text.done', text: of.text, usage })],
  };
}

function usageOf(outputTokens: number) {
  return { input_tokens: PROMPT_TOKENS, output_tokens: outputTokens, total_tokens: PROMPT_TOKENS + outputTokens };
}

function data(event: object): string {
  return `data: ${JSON.stringify(event)}\n\n`;
}
