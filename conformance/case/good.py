"""Good requests: few, and each carries a lot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from testcard.conformance.case.asker import Asker, json_body
from testcard.conformance.case.pairs import pairwise
from testcard.core.exchange import Request
from testcard.core.presentation import LOWER_CASE_NAMES

PROBES = ("minimal", "full body", "b64_json")
"""Cases of good requests; one of them must succeed before anything is judged."""
_UNKNOWN = {"testcard_unknown_field": True}
_OPENAI = {
    "quality": "auto", "background": None, "moderation": "auto", "style": None, "user": "testcard", "stream": None,
}  # fmt: skip
"""Fields of OpenAI's CreateImageRequest that belong to some of its models only, and `user`; it lets them be null."""
_LONG_PROMPT = 3900
"""Characters: below the 4,000 that OpenAI documents for dall-e-3, and four times what dall-e-2 takes."""
_LONGEST_PROMPT = 31_000
"""Characters: below the 32,000 that it documents for GPT image models."""
ODD = {
    "NUL": "a test card\0 for nobody",
    "half a surrogate pair": "a test card \ud83d for nobody",
    "control characters": "a test card \x1b[31m\x7f\ufffe\u202e for nobody",
}
"""What JSON can say in a string, and many a database, log or encoder cannot take."""
_ROOM = 1 + len(" ".join(ODD.values()))
_WORDS = ("a", "cat", "on", "a", "roof", "in", "the", "rain,")


def minimal(ask: Asker) -> list[Request]:
    return [ask.good(PROBES[0], "generate.minimal", ask.body("defaults"))]


def full(ask: Asker) -> list[Request]:
    size = ask.contract.landscape or (ask.target.sizes[0] if ask.target.sizes else "1024x1024")
    fields: dict[str, Any] = {"n": 1, "size": size, "response_format": ask.target.response_formats[0]}
    return [ask.good(PROBES[1], "generate.full", ask.body("every documented field", **fields))]


def b64_json(ask: Asker) -> list[Request]:
    """In portrait, to save the picture that this would cost alone."""
    alone = b64_json_alone(ask)
    portrait = [] if ask.thorough else _in_size(ask, _upright(ask))
    if not alone or not portrait or not ask.target.takes("response_format"):
        return alone
    body = ask.body("base64 in portrait", response_format="b64_json", size=portrait[0].fields["size"])
    return [ask.together("b64_json in portrait", body, *alone, *portrait)]


def b64_json_alone(ask: Asker) -> list[Request]:
    if not ask.target.takes("response_format"):
        return minimal(ask) if _offers(ask, "b64_json") else []  # it comes so by itself
    body = ask.body("base64", response_format="b64_json", **ask.place(0))
    return [ask.good(PROBES[2], "generate.b64-json", body)] if _offers(ask, "b64_json") else []


def url(ask: Asker) -> list[Request]:
    """Where the full body does not ask for a url, a request of its own does."""
    if not _offers(ask, "url") or ask.target.response_formats[0] == "url" or not ask.target.takes("response_format"):
        return full(ask) if _offers(ask, "url") else []
    return [ask.good("url", "generate.url", ask.body("a url", response_format="url", **ask.place(3)))]


def two_of_each(ask: Asker) -> list[Request]:
    if ask.target.max_n < 2:
        return []
    most = [ask.target.max_n] if ask.thorough and ask.target.max_n > 2 else []
    return [
        ask.good(
            f"n = {n}, {form}",
            "generate.n-honoured",
            ask.body(f"{n} pictures as {form}", n=n, response_format=form, **ask.place(place)),
        )
        for n in [2, *most]
        for place, form in enumerate(ask.target.response_formats)
    ]


def sizes(ask: Asker) -> list[Request]:
    """A portrait beside the landscape of the full body; with --thorough every declared size, in all pairs."""
    if ask.thorough:
        return full(ask) + all_pairs(ask)
    together = [request for request in b64_json(ask) if request.parts]
    return full(ask) + (together or _in_size(ask, _upright(ask)))


def all_pairs(ask: Asker) -> list[Request]:
    """Bodies in which every two values of different fields meet: each size, n = 1 and the largest, each format."""
    values: dict[str, list[Any]] = {
        "size": list(ask.target.sizes),
        "n": sorted({1, ask.target.max_n}),
        "response_format": list(ask.target.response_formats),
        **{name: list(rule.get("enum", ())) for name, rule in ask.target.request.items() if rule},
    }
    return [
        ask.good(", ".join(f"{name} {value}" for name, value in row.items()), "image.size", ask.body(f"{row}", **row))
        for row in pairwise({name: found for name, found in values.items() if found and ask.target.takes(name)})
    ]


def _upright(ask: Asker) -> str | None:
    return ask.contract.portrait or ask.contract.smallest


def _in_size(ask: Asker, *wanted: str | None) -> list[Request]:
    form = "b64_json" if _offers(ask, "b64_json") else ask.target.response_formats[0]
    return [
        ask.good(f"size {size}", "image.size", ask.body(f"the size {size}", size=size, response_format=form))
        for size in wanted
        if size is not None
    ]


def any_text_and_nulls(ask: Asker) -> list[Request]:
    """A prompt of any text, null in every field that may be null, and a head as other clients write it."""
    text, nulls, head = _any_text(ask), _nulls(ask), _another_head(ask)
    body = nulls.fields | {"prompt": text.fields["prompt"]}
    together = ask.together("any text as prompt, null elsewhere", body, text, nulls, head)
    return [replace(together, headers=head.headers, presented=head.presented)]


def _another_head(ask: Asker) -> Request:
    """Node and whatever passed HTTP/2 write names in lower case, .NET and okhttp name the charset."""
    form = (("content-type", "application/json; charset=utf-8"),)
    body = ask.body("a head in other letters")
    good = ask.good("a head in other letters", "transport.head-form", body, headers=form)
    return replace(good, presented=LOWER_CASE_NAMES)


def _any_text(ask: Asker) -> Request:
    """Scripts, quotes and line breaks; and what some servers read as commands: a bar, a lora, arguments in a tag."""
    body = ask.body("any text")
    body["prompt"] += (
        ' "quoted", 100 %s, \\ and / \n\t\u043a\u043e\u0442 \u732b \u05d7\u05ea\u05d5\u05dc \U0001f408\u200d\u2b1b'
        " e\u0301"
        ' | <lora:none:1> <sd_cpp_extra_args>{"width": 64, "height": 64, "batch_count": 3}</sd_cpp_extra_args>'
    )
    return ask.good("any text as prompt", "generate.unicode-prompt", body)


def _nulls(ask: Asker) -> Request:
    names = [name for name in ("n", "size", "response_format") if ask.contract.nullable(name)]
    body = ask.body("nothing but defaults", **dict.fromkeys(names))
    return ask.good(f"null for {', '.join(names)}", "generate.null-fields", body)


def unnamed_fields(ask: Asker) -> list[Request]:
    """What the contract leaves open: prompts of any length and of odd text, OpenAI's further fields, one that nobody
    documents. All at once; where that is refused, with less and less that may be the reason, and one picture comes in
    the end as well. Only what met a 5xx is asked for alone.
    """

    def one(case: str, requirement: str, body: dict[str, Any], *, after_error: bool = False) -> Request:
        return replace(_either(ask, case, requirement, body), after_error=after_error)

    long, longest = _prompt(ask, _LONG_PROMPT), _prompt(ask, _LONGEST_PROMPT)
    odd = " ".join(ODD.values())
    fields = _OPENAI | _UNKNOWN
    usual = ask.together(
        "a long prompt and further fields",
        ask.body("", prompt=long, **fields),
        one("a field that no contract names", "generate.unknown-field", ask.body("a field more", **_UNKNOWN)),
        one("further fields of OpenAI's", "generate.openai-fields", ask.body("further fields", **_OPENAI)),
        one(f"a prompt of {len(long)} characters", "generate.long-prompt", ask.body("", prompt=long)),
    )
    odder = ask.together(
        "a long prompt with odd text, and further fields",
        ask.body("", prompt=f"{long} {odd}", **fields),
        usual,
        one("a prompt with odd text", "generate.prompt-odd", ask.body("", prompt=odd), after_error=True),
    )
    alone = ask.body("", prompt=longest)
    return [
        ask.together(
            "a very long prompt with odd text, and further fields",
            ask.body("", prompt=f"{longest} {odd}", **fields),
            odder,
            one(f"a prompt of {len(longest)} characters", "generate.long-prompt", alone, after_error=True),
        )
    ]


def _prompt(ask: Asker, characters: int) -> str:
    """So many characters, or as many as the target declares and odd text leaves room for."""
    declared = ask.contract.request_schema["properties"]["prompt"].get("maxLength", _LONGEST_PROMPT + _ROOM)
    words = [ask.body("a long prompt")["prompt"], *_WORDS * (characters // len(_WORDS))]
    return " ".join(words)[: max(0, min(characters, declared - _ROOM))].rstrip()


def _either(ask: Asker, case: str, requirement: str, body: dict[str, Any]) -> Request:
    """A request of a form that the contract does not name."""
    return ask.good(case, requirement, body, may_refuse=True)


def empty_prompt(ask: Asker) -> list[Request]:
    return [ask.good("an empty prompt", "generate.empty-prompt", ask.body("", prompt=""), may_refuse=True)]


def undeclared_size(ask: Asker) -> list[Request]:
    """An odd size near the smallest: many models round it to a multiple of something."""
    width, height = map(int, (ask.contract.smallest or "512x512").split("x"))
    size = f"{width + 23}x{height + 11}"
    body = ask.body(f"the size {size}", size=size)
    return [ask.good(f"size {size}", "generate.size-undeclared", body, may_refuse=True)]


def sdk(ask: Asker) -> list[Request]:
    """The headers of openai-python (src/openai/_base_client.py, platform_headers and default_headers)."""
    headers = (
        ("User-Agent", "OpenAI/Python 3.54.0"),
        ("Accept-Encoding", "gzip, deflate"),
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
    return [ask.good("as an SDK sends it", "sdk.request-form", ask.body("an SDK", **ask.place(1)), headers=headers)]


def standard(ask: Asker) -> list[Request]:
    """The good requests on which whatever holds for any answer is judged."""
    return [*minimal(ask), *full(ask), *b64_json(ask)]


def every_good(ask: Asker) -> list[Request]:
    """Every form of a good request that must succeed."""
    return [*standard(ask), *any_text_and_nulls(ask), *two_of_each(ask), *sdk(ask)]


def together(ask: Asker) -> list[Request]:
    """What is asked for anyway, told apart by size, number and form: to be in flight at once. One may be refused."""
    must = [*full(ask), *b64_json(ask), *two_of_each(ask), *sdk(ask), *url(ask), *any_text_and_nulls(ask)]
    chosen = [*must, *unnamed_fields(ask)]
    return list({request.identity: request for request in chosen}.values())


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
