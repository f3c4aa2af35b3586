"""The truth about pictures."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.plugin import Verify, requirement


@requirement("image.base64", case.b64_json)
def test_base64(verify: Verify) -> None:
    """b64_json is strict base64: standard alphabet, padded with zeros, no line breaks, no data URL, encoded once."""
    verify()


@requirement("image.decodable", case.standard)
def test_decodable(verify: Verify) -> None:
    """Every picture is a whole PNG, JPEG or WebP that decodes to its last pixel."""
    verify()


@requirement("image.size", case.sizes)
def test_size(verify: Verify) -> None:
    """Every picture is shown in the requested width and height, an EXIF orientation included."""
    verify()


@requirement("image.distinct", case.two_of_each)
def test_distinct(verify: Verify) -> None:
    """Two pictures are never the same bytes: not within one answer, not across different prompts."""
    verify()


@requirement("image.not-blank", case.standard)
def test_not_blank(verify: Verify) -> None:
    """No picture is a single colour."""
    verify()


@requirement("image.trailing-bytes", case.standard)
def test_trailing_bytes(verify: Verify) -> None:
    """Nothing stands behind the end of a picture's file."""
    verify()


@requirement("image.no-internals", case.standard)
def test_no_internals(verify: Verify) -> None:
    """A picture's metadata show neither a path on the server's disk nor a key."""
    verify()


@requirement("image.one-format", case.standard)
def test_one_format(verify: Verify) -> None:
    """Pictures come in one format, whether by url or as base64."""
    verify()
