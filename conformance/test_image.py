"""The truth about pictures."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.plugin import Verify, requirement


@requirement("image.base64", case.b64_json)
def test_base64(verify: Verify) -> None:
    """b64_json is base64 in the strict sense: standard alphabet, padded, no line breaks, no data URL, encoded once."""
    verify()


@requirement("image.decodable", case.standard)
def test_decodable(verify: Verify) -> None:
    """Every picture is a whole PNG, JPEG or WebP that decodes to its last pixel."""
    verify()


@requirement("image.size", case.sizes)
def test_size(verify: Verify) -> None:
    """Every picture has the requested width and height."""
    verify()


@requirement("image.distinct", case.two_of_each)
def test_distinct(verify: Verify) -> None:
    """Two pictures are never the same bytes: not within one answer, not across different prompts."""
    verify()


@requirement("image.not-blank", case.standard)
def test_not_blank(verify: Verify) -> None:
    """No picture is a single colour."""
    verify()
