"""Good requests: few, and each carries a lot."""

from __future__ import annotations

from typing import Any

from testcard.conformance.case.asker import Asker, json_body
from testcard.core.exchange import Request

PROBES = ("minimal", "full body", "b64_json")
"""Cases of good requests; one of them must succeed before anything is judged."""


def minimal(ask: Asker) -> list[Request]:
    return [ask.good(PROBES[0], "generate.minimal", ask.body("defaults"))]


def full(ask: Asker) -> list[Request]:
    size = ask.contract.landscape or (ask.target.sizes[0] if ask.target.sizes else "1024x1024")
    fields: dict[str, Any] = {"n": 1, "size": size, "response_format": ask.target.response_formats[0]}
    return [ask.good(PROBES[1], "generate.full", ask.body("every documented field", **fields))]


def b64_json(ask: Asker) -> list[Request]:
    if not ask.target.takes("response_format"):
        return minimal(ask) if _offers(ask, "b64_json") else []  # it comes so by itself
    body = ask.body("base64", response_format="b64_json")
    return [ask.good(PROBES[2], "generate.b64-json", body)] if _offers(ask, "b64_json") else []


def url(ask: Asker) -> list[Request]:
    """Where the full body does not ask for a url, a request of its own does."""
    if not _offers(ask, "url") or ask.target.response_formats[0] == "url" or not ask.target.takes("response_format"):
        return full(ask) if _offers(ask, "url") else []
    return [ask.good("url", "generate.url", ask.body("a url", response_format="url"))]


def two_of_each(ask: Asker) -> list[Request]:
    if ask.target.max_n < 2:
        return []
    most = [ask.target.max_n] if ask.thorough and ask.target.max_n > 2 else []
    return [
        ask.good(
            f"n = {n}, {form}",
            "generate.n-honoured",
            ask.body(f"{n} pictures as {form}", n=n, response_format=form),
        )
        for n in [2, *most]
        for form in ask.target.response_formats
    ]


def sizes(ask: Asker) -> list[Request]:
    """A portrait beside the landscape of the full body; with --thorough every declared size."""
    contract = ask.contract
    wanted = ask.target.sizes if ask.thorough else tuple(filter(None, (contract.portrait or contract.smallest,)))
    form = "b64_json" if _offers(ask, "b64_json") else ask.target.response_formats[0]
    return full(ask) + [
        ask.good(f"size {size}", "image.size", ask.body(f"the size {size}", size=size, response_format=form))
        for size in wanted
    ]


def unicode_prompt(ask: Asker) -> list[Request]:
    body = ask.body("any text")
    body["prompt"] += (
        ' "quoted", \\ and / \n\t\u043a\u043e\u0442 \u732b \u05d7\u05ea\u05d5\u05dc \U0001f408\u200d\u2b1b e\u0301'
    )
    return [ask.good("any text as prompt", "generate.unicode-prompt", body)]


def unknown_field(ask: Asker) -> list[Request]:
    body = ask.body("a field more", testcard_unknown_field=True)
    return [ask.good("a field that no contract names", "generate.unknown-field", body, may_refuse=True)]


def other_content_type(ask: Asker) -> list[Request]:
    headers = (("Content-Type", "text/plain"),)
    return [
        ask.good(
            "labelled text/plain",
            "transport.other-content-type",
            ask.body("plain text"),
            may_refuse=True,
            headers=headers,
        )
    ]


def sdk(ask: Asker) -> list[Request]:
    """The headers of openai-python (src/openai/_base_client.py, platform_headers and default_headers)."""
    headers = (
        ("User-Agent", "OpenAI/Python 3.54.0"),
        ("X-Stainless-Lang", "python"),
        ("X-Stainless-Package-Version", "3.54.0"),
        ("X-Stainless-OS", "Linux"),
        ("X-Stainless-Arch", "x64"),
        ("X-Stainless-Runtime", "CPython"),
        ("X-Stainless-Runtime-Version", "3.12.4"),
        ("X-Stainless-Async", "false"),
        ("x-stainless-retry-count", "0"),
        ("x-stainless-read-timeout", "600"),
    )
    return [ask.good("as an SDK sends it", "sdk.request-form", ask.body("an SDK"), headers=headers)]


def standard(ask: Asker) -> list[Request]:
    """The good requests on which whatever holds for any answer is judged."""
    return [*minimal(ask), *full(ask), *b64_json(ask)]


def billable(ask: Asker, key: str, number: int) -> Request:
    """The cheapest request that succeeds, on a key of that role."""
    fields = {"size": ask.contract.smallest} if ask.contract.smallest else {}
    return Request(
        f"{key} key, request {number}",
        body=json_body(ask.body(f"the {key} key, {number}", **fields)),
        key=key,
        images=1,
    )


def _offers(ask: Asker, form: str) -> bool:
    return form in ask.target.response_formats
