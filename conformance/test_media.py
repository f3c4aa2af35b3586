"""Pictures by URL."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.plugin import Verify, requirement


@requirement("media.url-absolute", case.url)
def test_url_absolute(verify: Verify) -> None:
    """Every url is absolute, http or https, without credentials; https where the API itself is."""
    verify()


@requirement("media.host", case.url)
def test_host(verify: Verify) -> None:
    """Every url is on the declared media host."""
    verify()


@requirement("media.fetch", case.url)
def test_fetch(verify: Verify) -> None:
    """Every url can be fetched at once, without the key, and gives the picture."""
    verify()


@requirement("media.content-type", case.url)
def test_content_type(verify: Verify) -> None:
    """A fetched picture is labelled as the format that its bytes are."""
    verify()
