"""Transport: labels, framing, paths and methods."""

from __future__ import annotations

from testcard.conformance import case
from testcard.conformance.plugin import Verify, requirement


@requirement("transport.json-content-type", case.standard)
def test_json_content_type(verify: Verify) -> None:
    """Every answer of the API that has a body is labelled application/json."""
    verify()


@requirement("transport.json-body", case.standard)
def test_json_body(verify: Verify) -> None:
    """Every answer is exactly one JSON text: UTF-8, no byte order mark, no NaN, nothing after its end."""
    verify()


@requirement("transport.json-unique-names", case.standard)
def test_json_unique_names(verify: Verify) -> None:
    """No JSON object of an answer has two members of one name: readers differ in which one they take."""
    verify()


@requirement("transport.framing", case.framed)
def test_framing(verify: Verify) -> None:
    """Every answer arrives whole: as long as Content-Length says, its chunks complete, its content coding true."""
    verify()


@requirement("transport.line-ends", case.standard)
def test_line_ends(verify: Verify) -> None:
    """Every line of an answer's head ends in CR LF."""
    verify()


@requirement("transport.single-fields", case.standard)
def test_single_fields(verify: Verify) -> None:
    """No header field of a single value comes twice in an answer: readers differ in which one they take."""
    verify()


@requirement("transport.synchronous", case.standard)
def test_synchronous(verify: Verify) -> None:
    """A generation is answered at once with 200, not with a job (202) or a redirect."""
    verify()


@requirement("transport.unknown-path", case.unknown_path)
def test_unknown_path(verify: Verify) -> None:
    """An unknown path is answered with 404 or 405, in the error envelope."""
    verify()


@requirement("transport.wrong-method", case.wrong_method)
def test_wrong_method(verify: Verify) -> None:
    """A wrong method on /images/generations is answered with 405 or 404."""
    verify()


@requirement("transport.allow", case.wrong_method)
def test_allow(verify: Verify) -> None:
    """A 405 names the allowed methods in Allow, POST among them."""
    verify()


@requirement("transport.head", case.head)
def test_head(verify: Verify) -> None:
    """HEAD is answered as GET is, or refused: never met with a 5xx but 501."""
    verify()


@requirement("transport.other-content-type", case.other_content_type)
def test_other_content_type(verify: Verify) -> None:
    """A bad body that is labelled as something other than JSON is refused, never met with a 5xx."""
    verify()


@requirement("transport.head-form", case.any_text_and_nulls)
def test_head_form(verify: Verify) -> None:
    """Field names in lower case, and charset=utf-8 behind application/json, change nothing."""
    verify()


@requirement("transport.content-coding", case.compressed)
def test_content_coding(verify: Verify) -> None:
    """A content coding is used only where the client accepts it."""
    verify()


@requirement("transport.date", case.standard)
def test_date(verify: Verify) -> None:
    """A server that knows the time says it in Date, in the one form that there is."""
    verify()


@requirement("transport.not-cacheable", case.keyless)
def test_not_cacheable(verify: Verify) -> None:
    """No cache is given leave to store a 401, 402 or 429."""
    verify()


@requirement("transport.large-body", case.large_body)
def test_large_body(verify: Verify) -> None:
    """A wrong body of almost 1 MB is refused in the envelope: no 5xx, no silence."""
    verify()


@requirement("transport.tls", case.standard)
def test_tls(verify: Verify) -> None:
    """The API is reached over TLS, with a certificate that holds for its host."""
    verify()


@requirement("transport.no-plain-http", case.in_the_clear)
def test_no_plain_http(verify: Verify) -> None:
    """Over http the host refuses or redirects: nothing is served there."""
    verify()
