"""Limits: that they hold, and that what is said of them is true."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.plugin import Verify, requirement


@requirement("limit.enforced")
def test_enforced(verify: Verify) -> None:
    """Over the declared limit of the key comes a 429."""
    verify()


@requirement("limit.exact")
def test_exact(verify: Verify) -> None:
    """The 429 comes with the first request over the declared limit, not one or two later."""
    verify()


@requirement("limit.granted")
def test_granted(verify: Verify) -> None:
    """Within the declared limit of the key comes no 429."""
    verify()


@requirement("limit.refused-at-once")
def test_refused_at_once(verify: Verify) -> None:
    """A 429 comes at once: no slower than other answers."""
    verify()


@requirement("limit.retry-after")
def test_retry_after(verify: Verify) -> None:
    """A 429 carries Retry-After: whole seconds or an HTTP date, between 1 s and the window."""
    verify()


@requirement("limit.retry-after-honest")
def test_retry_after_honest(verify: Verify) -> None:
    """A request sent when Retry-After has passed is not refused again."""
    verify()


@requirement("limit.retry-after-tight")
def test_retry_after_tight(verify: Verify) -> None:
    """Retry-After is not much longer than needed: a request at half of the wait is refused."""
    verify()


@requirement("limit.refusals-free")
def test_refusals_free(verify: Verify) -> None:
    """A refused request does not postpone the moment that an earlier Retry-After named."""
    verify()


@requirement("limit.per-key")
def test_per_key(verify: Verify) -> None:
    """The limit is the key's own: while one key is refused, another is served."""
    verify()


@requirement("limit.headers", case.standard)
def test_headers(verify: Verify) -> None:
    """Of x-ratelimit-limit, -remaining and -reset, remaining is within 0 and the limit, reset not negative."""
    verify()


@requirement("limit.headers-true")
def test_headers_true(verify: Verify) -> None:
    """The x-ratelimit headers tell what happens: the key's limit, 0 left on a 429, a reset not before Retry-After."""
    verify()
