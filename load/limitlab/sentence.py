"""The identified limiter in one sentence, beside the declared one."""

from __future__ import annotations

from testcard.core.target import Limit
from testcard.load.ratelimit import CONCURRENCY, UNEXPLAINED, UNLIMITED, Fitted, kinds

_SURE = 0.95


def sentence(fitted: Fitted, declared: Limit, instead: str | None = None) -> str:
    """`A sliding log of 10 requests in 60 s (99 % sure).`

    Args:
        instead: the answer that comes where a 429 belongs.
    """
    words = {kind.name: kind.describe for kind in kinds(declared)}
    if fitted.kind == UNLIMITED:
        passed = "1 request" if fitted.at_least == 1 else f"{fitted.at_least} requests"
        return f"No limit seen: at least {passed} passed."
    if fitted.kind == UNEXPLAINED:
        near = ", ".join(words[name] for name in fitted.alternatives)
        return f"Unexplained: no limiter that we know answers so; the nearest was a {near}."
    said = words[fitted.kind]
    if fitted.confidence < _SURE and fitted.alternatives:
        said = " or ".join([said, *(words[name] for name in fitted.alternatives[:3])])
    figures = ""
    if fitted.kind == CONCURRENCY and fitted.limit is not None:
        figures = f", about {fitted.limit.value:.3g}"
    elif fitted.limit is not None:
        window = fitted.window_s.value if fitted.window_s is not None else declared.window_s
        figures = f" of {fitted.limit.value:.3g} requests in {window:.3g} s"
    burst = f", {fitted.burst.value:.3g} at once after a pause" if fitted.burst is not None else ""
    place = f", which answers with {instead} instead of a 429" if instead is not None else ""
    return f"{said[0].upper()}{said[1:]}{figures}{burst}{place} ({fitted.confidence:.0%} sure)."
