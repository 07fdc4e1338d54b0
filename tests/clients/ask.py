"""Asks a question through the OpenAI client and tells, one JSON object a line, what came back.

The address and the key come from the environment, as in any program that uses the client.
"""

import json
import sys

from openai import APIStatusError, OpenAI


def tell(check, **fields):
    print(json.dumps({"check": check, **fields}))


def tell_error(check, call):
    try:
        call()
        tell(check, error=None)
    except APIStatusError as error:
        tell(check, error=type(error).__name__, code=error.code)


def main(question):
    client = OpenAI(max_retries=0)
    messages = [{"role": "user", "content": question}]

    tell("models", ids=[model.id for model in client.models.list()])

    completion = client.chat.completions.create(model="docs", messages=messages)
    choice = completion.choices[0]
    tell(
        "whole",
        text=choice.message.content,
        finish=choice.finish_reason,
        citations=[annotation.url_citation.title for annotation in choice.message.annotations or []],
        completionTokens=completion.usage.completion_tokens,
    )

    text, finish, answered, total_tokens = "", None, None, None
    stream = client.chat.completions.create(
        model="docs", messages=messages, stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        if chunk.usage is not None:
            total_tokens = chunk.usage.total_tokens
        if (extension := getattr(chunk, "headworks", None)) is not None:
            answered = extension.get("answered", answered)
        for one in chunk.choices:
            text += one.delta.content or ""
            finish = one.finish_reason or finish
    tell("streamed", text=text, finish=finish, answered=answered, totalTokens=total_tokens)

    tell_error("wrong key", OpenAI(api_key="hw_wrong", max_retries=0).models.list)
    tell_error("unknown model", lambda: client.chat.completions.create(model="nowhere", messages=messages))


main(sys.argv[1])
