"""Pictures by URL."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.plugin import Verify, requirement


@requirement("media.url-absolute", case.url)
def test_url_absolute(verify: Verify) -> None:
    """Every url is an absolute URI, http or https (as the API), without credentials, not on localhost."""
    verify()


@requirement("media.host", case.url)
def test_host(verify: Verify) -> None:
    """Every url is on the declared media host."""
    verify()


@requirement("media.fetch", case.url)
def test_fetch(verify: Verify) -> None:
    """Every url can be fetched at once, without the key, and gives the picture, after at most three redirects."""
    verify()


@requirement("media.content-type", case.url)
def test_content_type(verify: Verify) -> None:
    """A fetched picture is labelled as the format that its bytes are."""
    verify()


@requirement("media.extension", case.url)
def test_extension(verify: Verify) -> None:
    """A url whose path ends as a picture's name does ends as this picture's."""
    verify()


@requirement("media.url-unique", case.two_of_each)
def test_url_unique(verify: Verify) -> None:
    """Every picture has a url of its own."""
    verify()


@requirement("media.url-unguessable", case.two_of_each)
def test_url_unguessable(verify: Verify) -> None:
    """The url of a picture cannot be guessed from others: it opens without a key."""
    verify()


@requirement("media.refetch", case.url)
def test_refetch(verify: Verify) -> None:
    """A url keeps giving its picture: at the end of the check it is there, and the same."""
    verify()
