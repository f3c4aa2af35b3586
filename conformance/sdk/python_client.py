"""Speaks for openai-python: reads calls, a list a line, and tells what each returned or raised.

process.py runs it in a process of its own, whose environment holds no key. A picture is told by its digest.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

KEY = "sk-no-key"


def main() -> None:
    """Say which SDK this is, or that there is none, and answer until standard input ends."""
    try:
        import openai  # an extra: it need not be there
    except ImportError as error:
        _say({"absent": str(error)})
        return
    _say({"version": openai.__version__})
    with openai.OpenAI(api_key=KEY, base_url="http://127.0.0.1:9/v1", timeout=20.0) as client:
        for line in sys.stdin:
            _say([_call(client, call) for call in json.loads(line)])


def _say(value: Any) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


def _call(client: Any, call: dict[str, Any]) -> dict[str, Any]:
    import openai

    try:
        answer = client.with_options(**call).images.generate(prompt="A test card", model="replayed")
    except openai.APIStatusError as error:
        body = error.body if isinstance(error.body, dict) else {}
        return {
            "raised": type(error).__name__,
            "status": error.status_code,
            "message": body.get("message"),
            "type": error.type,
            "code": error.code,
            "request_id": error.request_id,
        }
    except (openai.OpenAIError, ValueError, TypeError, AttributeError, LookupError) as error:
        return {"raised": type(error).__name__, "said": str(error)[:200]}
    data = getattr(answer, "data", None)
    return {
        "returned": type(answer).__name__,
        "created": getattr(answer, "created", None),
        "items": [_item(item) for item in data] if isinstance(data, list) else None,
    }


def _item(item: Any) -> dict[str, str]:
    values = {name: getattr(item, name, None) for name in ("url", "b64_json")}
    return {
        name: hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
        for name, value in values.items()
        if isinstance(value, str)
    }


if __name__ == "__main__":
    main()
