"""Recorded streams that break off: `cuts.py SUITE BASE_URL API_KEY FILE` prints how many were read, and what was wrong."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

MESSAGES = [{"role": "user", "content": "a"}]
# Of a parser, or of what checks the parsed.
PARSERS = ("JSONDecodeError", "ValidationError")
AT_ONCE = 16


def readers(suite, base_url, api_key):
    """By endpoint: what reads the stream of a model to its end. And the class of the errors that an API reports."""
    if suite == "openai":
        import openai

        client = openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=0)
        return {
            "/v1/chat/completions": lambda model: list(
                client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
            ),
            "/v1/responses": lambda model: list(client.responses.create(model=model, input="a", stream=True)),
        }, openai.APIError
    if suite == "anthropic":
        import anthropic

        client = anthropic.Anthropic(base_url=base_url.removesuffix("/v1"), api_key=api_key, max_retries=0)
        return {
            "/v1/messages": lambda model: list(
                client.messages.create(model=model, max_tokens=9, messages=MESSAGES, stream=True)
            )
        }, anthropic.APIError
    import litellm
    import openai

    litellm.suppress_debug_info = True
    return {
        "/v1/chat/completions": lambda model: list(
            litellm.completion(
                model=f"openai/{model}",
                api_base=base_url,
                api_key=api_key,
                messages=MESSAGES,
                stream=True,
                max_retries=0,
                num_retries=0,
            )
        )
    }, openai.APIError


def is_of_parser(error):
    return error is not None and (type(error).__name__ in PARSERS or is_of_parser(error.__cause__))


def problem_of(read, own, cut):
    place = f"{cut['file']} cut by {cut['model']}"
    try:
        read(cut["model"])
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        if is_of_parser(error):
            return f"{place}: {said}"
        if cut["model"].endswith(":whole:") and cut["isComplete"]:
            return f"{place}: not read at all: {said}"
        if cut["isBetween"] and not isinstance(error, own):
            return f"{place}: {said} is no error of the API"
        return None
    return None if cut["isComplete"] else f"{place}: taken for a whole answer"


suite, base_url, api_key, file = sys.argv[1:]
read_of, own = readers(suite, base_url, api_key)
with open(file, encoding="utf-8") as opened:
    due = [cut for cut in json.load(opened) if cut["endpoint"] in read_of]
with ThreadPoolExecutor(AT_ONCE) as pool:
    problems = list(pool.map(lambda cut: problem_of(read_of[cut["endpoint"]], own, cut), due))
print(json.dumps({"read": len(due), "problems": [problem for problem in problems if problem]}))
