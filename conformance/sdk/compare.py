"""What an SDK made of an answer, beside the answer itself. Pure.

Rule: an SDK is no oracle. It is only asked whether its user gets what the answer holds; how good that is, the judges
of raw HTTP say. Where the answer holds no pictures, or no error that can be read, nothing is expected of an SDK.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from testcard.conformance.judge.evidence import Evidence
from testcard.conformance.sdk.process import Sdk
from testcard.conformance.sdk.replay import hurries
from testcard.core.exchange import Response
from testcard.core.record import Finding

_EXACT = 2**53
"""Beyond it JavaScript has no exact integers."""
_LEFT_TO_THE_SDK = (408, 409)


def compare(sdk: Sdk, evidence: Evidence, told: Mapping[str, Any], asked: int) -> Iterator[Finding]:
    """The findings about one answer.

    Args:
        told: what the SDK returned or raised, as its client tells it.
        asked: how often it sent the request, with one repetition allowed.
    """
    response = evidence.response
    if response is None:
        return
    if response.status >= 400:
        yield _found("sdk.errors", evidence, *_error(sdk, response, told))
        yield from _retry(sdk, evidence, response, asked)
    elif _hidden_error(response):
        wanted = "an error becomes an exception"
        yield _found("sdk.errors", evidence, wanted, None if "raised" in told else f"{sdk} returns {_shown(told)}")
    elif evidence.data is not None:
        yield _found("sdk.pictures", evidence, *_pictures(sdk, evidence, response, told))


def _found(requirement: str, evidence: Evidence, expected: str, problem: str | None) -> Finding:
    return Finding(requirement, problem is None, expected, problem or "", (evidence.exchange.number,))


def _hidden_error(response: Response) -> bool:
    """Whether a 200 holds an error in place of pictures."""
    body = response.json
    return isinstance(body, dict) and isinstance(body.get("error"), dict) and not isinstance(body.get("data"), list)


def _pictures(sdk: Sdk, evidence: Evidence, response: Response, told: Mapping[str, Any]) -> tuple[str, str | None]:
    items = evidence.data or []
    wanted = [_digests(item) for item in items]
    expected = f"an ImagesResponse with {len(items)} in data, as in the answer"
    came = told.get("items")
    if not isinstance(came, list):
        return expected, f"{sdk} {'raises' if 'raised' in told else 'returns'} {_shown(told)}"
    readable = [i for i, each in enumerate(wanted) if each is not None]
    if len(came) != len(wanted) or any(came[i] != wanted[i] for i in readable):
        return expected, f"{sdk} returns {len(came)} in data, and other values"
    created = response.json.get("created")
    exact = isinstance(created, int) and not isinstance(created, bool) and abs(created) < _EXACT
    if exact and told.get("created") != created:
        return f"created: {created}", f"{sdk} returns created: {told.get('created')!r}"
    return expected, None


def _digests(item: Mapping[str, Any]) -> dict[str, str] | None:
    """The pictures of an item as an SDK's client tells them; None where UTF-8 cannot hold one."""
    try:
        return {
            name: hashlib.sha256(item[name].encode()).hexdigest()
            for name in ("url", "b64_json")
            if isinstance(item.get(name), str)
        }
    except UnicodeEncodeError:
        return None


def _error(sdk: Sdk, response: Response, told: Mapping[str, Any]) -> tuple[str, str | None]:
    wanted: dict[str, Any] = {"raised": sdk.exception_of(response.status), "status": response.status}
    body = response.json
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        wanted |= {name: error[name] for name in ("message", "type", "code") if _plain(error.get(name))}
    ids = [value for name, value in response.headers if name.lower() == "x-request-id"]
    if len(ids) == 1 and _plain(ids[0].strip()):
        wanted["request_id"] = ids[0].strip()
    other = [name for name, value in wanted.items() if str(told.get(name)) != str(value)]
    expected = f"{wanted['raised']} with {', '.join(list(wanted)[1:])} as in the answer"
    if not other:
        return expected, None
    if "raised" not in told:
        return expected, f"{response.status}: {sdk} returns {_shown(told)}"
    return expected, f"{response.status}: {sdk} raises {_shown(told)}; {other[0]}: {str(told.get(other[0]))[:80]}"


def _plain(value: Any) -> bool:
    """Whether a value reaches every SDK as it is: text that is not empty, or a small integer."""
    if isinstance(value, str):
        return bool(value) and value.isascii() and value.isprintable()
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _EXACT


def _retry(sdk: Sdk, evidence: Evidence, response: Response, asked: int) -> Iterator[Finding]:
    """Whether the SDK tries again what the dialect calls retryable, and nothing else of the client's own errors."""
    status = response.status
    row = evidence.contract.dialect.errors.get(status)
    if row is None and (status >= 500 or status in _LEFT_TO_THE_SDK):
        return
    retryable = row is not None and row.retryable
    if retryable and not hurries(response):
        return  # how long they wait at most is the SDKs' own affair
    does, doesnt = f"{status} is tried again", f"{status} is not tried again"
    because = f", for x-should-retry: {advice}" if (advice := response.header("x-should-retry")) else ""
    problem = None if (asked > 1) == retryable else f"{sdk}: {doesnt if retryable else does}{because}"
    yield _found("sdk.retries", evidence, does if retryable else doesnt, problem)


def _shown(told: Mapping[str, Any]) -> str:
    if "raised" in told:
        return f"{told['raised']}" + (f" ({told['said']})" if told.get("said") else "")
    return f"{told.get('returned')}" + ("" if told.get("items") is not None else " without data")
