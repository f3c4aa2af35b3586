"""Generation: what must be accepted, what must be refused, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator

from testcard.conformance.judge.evidence import OPEN_FORMS, Evidence, answer, broken, finding, held
from testcard.core.exchange import Request
from testcard.core.quantity import size_px
from testcard.core.record import Finding

_BY_ACCEPTANCE = frozenset(
    {
        "generate.minimal",
        "generate.full",
        "generate.unicode-prompt",
        "generate.null-fields",
        "sdk.request-form",
        "transport.head-form",
    }
)
"""Requirements that hold once a request is accepted. Any other that a good request is sent for needs what came: a
200 without a readable picture says nothing about its size."""


def judge(evidence: Evidence) -> Iterator[Finding]:
    request = evidence.request
    if not (request.to_generate and request.credentialed) or not evidence.final:
        return
    failure = evidence.exchange.failure
    if failure is not None and failure.kind in ("connect", "tls"):
        return  # nobody was there to accept or refuse
    if request.key == "empty_wallet":
        if evidence.status is not None:
            yield finding("error.empty-wallet", evidence.status == 402, "402", answer(evidence))
        return
    if evidence.status == 429:
        return  # the limit's business, not the body's
    if request.violations:
        yield from _refusal(evidence)
    elif request.parts:
        yield from _together(evidence)
    elif request.may_refuse:
        yield from _either(evidence)
    else:
        yield from _acceptance(evidence)


def _acceptance(evidence: Evidence) -> Iterator[Finding]:
    requirement, status = evidence.request.requirement, evidence.status
    documented = status in evidence.contract.dialect.errors and (status or 0) >= 500
    if requirement is not None and not documented:
        if status in evidence.contract.dialect.refusal and evidence.contract.took_for_granted(evidence.fields):
            return  # what this model does not offer, it may refuse
        if status is None or status >= 400:
            yield broken(requirement, "200", answer(evidence))
        elif requirement in _BY_ACCEPTANCE:
            yield held(requirement)
    yield from _what_came(evidence)


def _what_came(evidence: Evidence) -> Iterator[Finding]:
    items = evidence.data
    if items is None:
        return
    form = evidence.form
    actual = f"data[0] with {', '.join(sorted(items[0])) or 'no keys'}"
    carried = all(isinstance(item.get(form), str) and item[form] for item in items)
    explicit = evidence.fields.get("response_format") is not None
    name = "generate.default-format" if not explicit else {"url": "generate.url", "b64_json": "generate.b64-json"}[form]
    yield finding(name, carried, f"{form} in every item", actual)
    yield from _count(evidence.fields.get("n"), len(items))
    default = evidence.contract.target.default_size
    if evidence.fields.get("size") is None and default is not None:
        for item in evidence.pictures:
            shown = item.inspection.shown_px
            if shown is not None:
                holds = f"{shown[0]}x{shown[1]}" == default
                yield finding("generate.default-size", holds, default, f"{item.size} in {item.where}")


def _together(evidence: Evidence) -> Iterator[Finding]:
    """Several forms at once: a good answer is one to each of them; any other says of none that it is at fault."""
    if not evidence.exchange.succeeded:
        return
    for part in _single(evidence.request):
        if part.requirement in _BY_ACCEPTANCE or part.may_refuse:
            yield held(str(part.requirement))
    yield from _what_came(evidence)


def _single(request: Request) -> Iterator[Request]:
    """What it asks for at once, taken apart to the last."""
    for part in request.parts:
        yield from _single(part) if part.parts else (part,)


def _other_size(evidence: Evidence) -> str | None:
    """The size that came in place of the one that was asked for."""
    asked = evidence.fields.get("size")
    wanted = size_px(asked) if isinstance(asked, str) else None
    for item in evidence.pictures:
        shown = item.inspection.shown_px
        if wanted is not None and shown is not None and shown != wanted:
            return f"{item.size} in {item.where}"
    return None


def _count(n: int | None, came: int) -> Iterator[Finding]:
    """How many pictures came. One for n = 1 is no sign that n is honoured: whoever ignores it sends one."""
    if n is None:
        yield finding("generate.default-n", came == 1, "1 in data", f"{came}")
    elif n > 1 or came != n:
        yield finding("generate.n-honoured", came == n, f"{n} in data", f"{came}")


def _either(evidence: Evidence) -> Iterator[Finding]:
    """A form that the contract does not name: refused in the envelope, or answered well."""
    requirement, status = evidence.request.requirement, evidence.status
    if requirement is None:
        return
    fine = status is not None and status < 500  # how good a 200 is, the other judges say
    replaced = _other_size(evidence)
    actual = f"{replaced} instead" if replaced else answer(evidence)
    yield finding(requirement, fine and not replaced, "a refusal in the envelope, or a good answer", actual)
    yield from _what_came(evidence)


def _names_no_model(evidence: Evidence) -> bool:
    """Whether an object leaves the model out; a server that looks it up before anything else finds none."""
    an_object = all(violation.field != "body" for violation in evidence.request.violations)
    return an_object and evidence.contract.target.model is not None and evidence.fields.get("model") is None


def _refusal(evidence: Evidence) -> Iterator[Finding]:
    """A body that the contract forbids."""
    violations, status = evidence.request.violations, evidence.status
    names = {violation.requirement for violation in violations}
    name = names.pop() if len(names) == 1 else "generate.forbidden-combination"
    sent = "; ".join(violation.sentence() for violation in violations)
    dialect = evidence.contract.dialect
    about_model = any(violation.field == "model" for violation in violations) or _names_no_model(evidence)
    if name == "generate.model-unknown":
        right = (404,) if dialect.name != "openai" else (404, *dialect.refusal)
        yield finding(name, status in right, f"404 ({sent})", answer(evidence))
        return
    if name in OPEN_FORMS:
        fine = status is not None and status < 500
        yield finding(name, fine, f"a refusal in the envelope ({sent})", answer(evidence))
        if name == "generate.model-malformed" and status is not None and status < 300:
            yield broken("generate.model-unknown", f"404 ({sent})", answer(evidence))
        return
    if status is None or status >= 500 or status < 400:
        yield broken(name, f"a refusal ({sent})", answer(evidence))
        return
    yield held(name)
    allowed = (*dialect.refusal, 404) if about_model else dialect.refusal
    yield finding(
        "error.refusal-status",
        status in allowed,
        f"{' or '.join(map(str, dialect.refusal))} ({sent})",
        answer(evidence),
    )
    if dialect.refusal_usual != dialect.refusal and status in allowed:
        usual = (*dialect.refusal_usual, 404) if about_model else dialect.refusal_usual
        yield finding("error.refusal-400", status in usual, f"400 ({sent})", answer(evidence))
