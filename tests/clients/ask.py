"""Asks a question through the OpenAI client and tells, one JSON object a line, what came back.

The address and the key come from the environment, as in any program that uses the client.
"""

import json
import sys
import time

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

    store = client.vector_stores.create(name="cranes")
    note = ("cranes.md", b"# Cranes\n\nThe crane of pier nine lifts forty tonnes.")
    put = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=note)
    found = client.vector_stores.search(store.id, query="crane of pier nine")
    tell("files", status=put.status, found=[one.filename for one in found.data])

    line = {"custom_id": "one", "method": "POST", "url": "/v1/chat/completions"}
    line["body"] = {"model": "docs", "messages": messages}
    file = client.files.create(file=("in.jsonl", json.dumps(line).encode()), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    for _ in range(600):
        batch = client.batches.retrieve(batch.id)
        if batch.status in ("completed", "failed", "expired", "cancelled"):
            break
        time.sleep(0.05)
    output = json.loads(client.files.content(batch.output_file_id).text)
    tell(
        "batch",
        status=batch.status,
        completed=batch.request_counts.completed,
        text=output["response"]["body"]["choices"][0]["message"]["content"],
    )

    tell_error("wrong key", OpenAI(api_key="hw_wrong", max_retries=0).models.list)
    tell_error("unknown model", lambda: client.chat.completions.create(model="nowhere", messages=messages))


main(sys.argv[1])
