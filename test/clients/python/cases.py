"""The Python packages: `cases.py SUITE BASE_URL API_KEY` prints the outcomes as JSON."""

import hashlib
import json
import re
import sys
import time

MODEL = "gpt-4o"
MESSAGES = [{"role": "user", "content": "Hello"}]
ANTHROPIC = {"model": "claude-sonnet-4", "max_tokens": 100, "messages": MESSAGES}
WAIT_S = 2


def failing(status, headers=()):
    error = {"message": f"mock {status}", "type": "mock_error", "code": f"mock_{status}", "param": None}
    return {"mock": {"status": status, "headers": list(headers), "json": {"error": error}}}


def plain(value):
    return json.loads(value.to_json()) if hasattr(value, "to_json") else value


def openai_cases(base_url, api_key):
    import openai

    def client(**options):
        return openai.OpenAI(base_url=base_url, api_key=api_key, **{"max_retries": 0, **options})

    def chat(body=None, **options):
        return plain(client(**options).chat.completions.create(model=MODEL, messages=MESSAGES, extra_body=body))

    def streamed(body=None):
        stream = client().chat.completions.create(
            model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}, extra_body=body
        )
        return [plain(chunk) for chunk in stream]

    def helper():
        with client().chat.completions.stream(model=MODEL, messages=MESSAGES) as stream:
            return [event.type for event in stream], plain(stream.get_final_completion())

    def responses():
        with client().responses.stream(model=MODEL, input="Hello") as stream:
            return [event.type for event in stream], stream.get_final_response().output_text

    def files():
        content = bytes(i % 251 for i in range(300_000))
        of = client().files
        made = of.create(file=("data.bin", content), purpose="user_data")
        back = of.content(made.id).read()
        return [made.bytes, hashlib.sha256(back).hexdigest(), plain(of.delete(made.id))]

    def speech():
        with client().audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input="Hello") as answer:
            return hashlib.sha256(answer.read()).hexdigest()

    cut = {"mock": {"events": 5, "fault": {"kind": "end_early", "after_bytes": 300}}}
    cases = {
        "chat": chat,
        "chat, streamed": streamed,
        "chat, stream helper": helper,
        "responses, stream helper": responses,
        "embeddings": lambda: plain(client().embeddings.create(model="text-embedding-3-small", input="a")),
        "models": lambda: [model.id for model in client().models.list()],
        "files": files,
        "audio, speech": speech,
        "audio, transcription": lambda: client()
        .audio.transcriptions.create(model="whisper-1", file=("a.mp3", b"0" * 70_000))
        .text,
        "images, generated": lambda: client().images.generate(model="gpt-image-1", prompt="a cat").created,
        "a stream cut in the middle of an event": lambda: streamed(cut),
        "a request that times out": lambda: chat({"mock": {"fault": {"kind": "hang"}}}, timeout=0.3),
    }
    for status in (400, 403, 404, 409, 422, 429):
        cases[f"status {status}"] = lambda status=status: chat(failing(status))
    cases[f"429 with retry-after: {WAIT_S}"] = lambda: chat(failing(429, [["retry-after", str(WAIT_S)]]), max_retries=1)
    return cases


def anthropic_cases(base_url, api_key):
    import anthropic

    def client(**options):
        return anthropic.Anthropic(base_url=base_url.removesuffix("/v1"), api_key=api_key, **{"max_retries": 0, **options})

    def message(body=None, **options):
        return plain(client(**options).messages.create(**ANTHROPIC, extra_body=body))

    def helper():
        with client().messages.stream(**ANTHROPIC) as stream:
            return "".join(stream.text_stream), plain(stream.get_final_message())

    cases = {
        "messages": message,
        "messages, streamed": lambda: [plain(event) for event in client().messages.create(**ANTHROPIC, stream=True)],
        "messages, stream helper": helper,
        "count_tokens": lambda: client().messages.count_tokens(model="claude-sonnet-4", messages=MESSAGES).input_tokens,
    }
    for status in (400, 403, 404, 429):
        cases[f"status {status}"] = lambda status=status: message(failing(status))
    cases[f"429 with retry-after: {WAIT_S}"] = lambda: message(
        failing(429, [["retry-after", str(WAIT_S)]]), max_retries=1
    )
    return cases


def litellm_cases(base_url, api_key):
    import litellm

    litellm.suppress_debug_info = True

    def completion(**more):
        return litellm.completion(
            model=f"openai/{MODEL}", api_base=base_url, api_key=api_key, messages=MESSAGES, num_retries=0, max_retries=0, **more
        )

    return {
        "completion": lambda: completion().choices[0].message.content,
        "completion, streamed": lambda: [part.choices[0].delta.content for part in completion(stream=True)],
        "embedding": lambda: litellm.embedding(
            model="openai/text-embedding-3-small", api_base=base_url, api_key=api_key, input=["a"]
        ).data[0]["embedding"],
        "status 400": lambda: completion(extra_body=failing(400)).id,
        "status 429": lambda: completion(extra_body=failing(429)).id,
    }


def told(error):
    message = re.sub(r":\d{4,5}\b", ":PORT", str(error))
    names = ("status_code", "code", "type", "param")
    return {"class": type(error).__name__, "message": message, **{name: getattr(error, name, None) for name in names}}


def outcome(name, run):
    since = time.monotonic()
    try:
        result = {"value": run()}
    except Exception as error:
        result = {"error": told(error)}
    return {"name": name, **result, "ms": round((time.monotonic() - since) * 1000)}


SUITES = {"openai": openai_cases, "anthropic": anthropic_cases, "litellm": litellm_cases}
suite, base_url, api_key = sys.argv[1:]
print(json.dumps([outcome(*case) for case in SUITES[suite](base_url, api_key).items()], default=str))
