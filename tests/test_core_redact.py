"""Keys: whose they are, and that they stand nowhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from testcard.core.errors import UsageError
from testcard.core.redact import MASK, Redactor
from testcard.core.target import Keyring, Target, header_secrets, header_values

HERE = Target("http://127.0.0.1:1/v1")
OPENAI = Target("https://api.openai.com/v1")
KEY = "sk-aig-0123456789"


@pytest.mark.parametrize(
    ("target", "environ", "main"),
    [
        (OPENAI, {"OPENAI_API_KEY": KEY}, KEY),
        (OPENAI, {"OPENAI_API_KEY": KEY, "TESTCARD_API_KEY": "sk-own-key"}, "sk-own-key"),
        (HERE, {"OPENAI_API_KEY": KEY}, None),
        (Target("https://api.openai.com.evil.example/v1"), {"OPENAI_API_KEY": KEY}, None),
        (Target("https://evil.example/api.openai.com"), {"OPENAI_API_KEY": KEY}, None),
        (Target("http://127.0.0.1/v1", keys={"main": "OPENAI_API_KEY"}), {"OPENAI_API_KEY": KEY}, KEY),
        (HERE, {"TESTCARD_API_KEY": f" {KEY}\n"}, KEY),
        (HERE, {"TESTCARD_API_KEY": "  "}, None),
        (HERE, {}, None),
    ],
)
def test_openai_s_key_goes_to_openai_only(target: Target, environ: dict[str, str], main: str | None) -> None:
    """OPENAI_API_KEY is used for OpenAI's own host, or where the target names it; white space is no key."""
    assert Keyring(target, environ).get("main") == main


def test_a_keyring_tells_no_keys() -> None:
    """Its representation names roles, never values."""
    ring = Keyring(HERE, {"TESTCARD_API_KEY": KEY, "TESTCARD_LIMITED_KEY": "sk-limited"})
    assert repr(ring) == "Keyring(limited, main)"
    assert set(ring.values) == {KEY, "sk-limited"}
    assert (ring.variable("limited"), ring.get("second")) == ("TESTCARD_LIMITED_KEY", None)


@pytest.mark.parametrize("key", ["sk-\u00e9\u00e9\u00e9", "sk-a\nb", "sk-a\x00b", "sk-\U0001f408"])
def test_a_key_that_no_header_can_carry_is_one_sentence(key: str) -> None:
    """It is said before anything is sent, and without the key."""
    with pytest.raises(UsageError, match="TESTCARD_API_KEY") as error:
        Keyring(HERE, {"TESTCARD_API_KEY": key})
    assert key not in str(error.value)


def test_header_values_come_from_the_environment() -> None:
    """`env:NAME` is replaced, counted as a secret, and missed or broken ones are named without their value."""
    target = Target("http://127.0.0.1/v1", headers={"x-team": "env:TESTCARD_TEAM", "x-cache": "skip"})
    environ = {"TESTCARD_TEAM": "t0ken-of-the-team"}
    assert header_values(target, environ) == {"x-team": "t0ken-of-the-team", "x-cache": "skip"}
    assert header_secrets(target, environ) == ("t0ken-of-the-team",)
    with pytest.raises(UsageError, match="TESTCARD_TEAM, which is not set"):
        header_values(target, {})
    with pytest.raises(UsageError, match="TESTCARD_TEAM") as error:
        header_values(target, {"TESTCARD_TEAM": "two\r\nlines"})
    assert "two" not in str(error.value)


def _spellings(secret: str) -> list[str]:
    inside = json.dumps(secret)[1:-1]
    return [
        secret,
        secret.upper(),
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        quote(secret, safe="").lower(),
        inside,
        inside.replace("/", "\\/"),
        inside.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
    ]


_SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=40)


@given(st.lists(_SECRETS, min_size=1, max_size=3), st.data(), st.text(max_size=20), st.text(max_size=20))
@settings(deadline=None, max_examples=200, database=None)
@example(["sk-a/b+c=d&e"], None, "x", "y")
def test_no_secret_survives_in_any_spelling(
    secrets: list[str], data: st.DataObject | None, before: str, after: str
) -> None:
    """As it is, in capitals, percent-encoded, escaped as in JSON: nowhere in text, bytes, headers and JSON."""
    redactor = Redactor(secrets)
    forms = [form for secret in secrets for form in _spellings(secret)]
    for form in forms if data is None else [data.draw(st.sampled_from(forms))]:
        text = f"{before}{form}{after}{form}"
        nested = {"a": [text, {text: [text, 1, None, True]}], "b": (text,)}
        written = [
            redactor.text(text),
            redactor.data(text.encode()).decode(),
            *(value for _, value in redactor.headers([("x-echo", text)])),
            *_strings(redactor.json(nested)),
        ]
        for sink in written:
            assert not redactor.holds_secret(sink)
            assert not any(secret in sink for secret in secrets if secret not in MASK)
        assert redactor.holds_secret(text)


def _strings(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [text for pair in value.items() for item in pair for text in _strings(item)]
        case list():
            return [text for item in value for text in _strings(item)]
        case _:
            return []


@pytest.mark.parametrize(
    ("url", "kept", "gone"),
    [
        ("https://m/x.png?sig=abcdef&w=1", "w=1", "abcdef"),
        ("https://m/x.png?w=1&X-Amz-Signature=abcdef", "w=1", "abcdef"),
        ("https://m/x.png?X-Amz-Credential=AKIA%2Fx&X-Amz-Security-Token=FwoG", "m/x.png", "AKIA"),
        ("https://m/x.png?a=1\\u0026Signature=abcdef\\u0026Key-Pair-Id=K1", "a=1", "abcdef"),
        ('{"url": "https://m/x.png?token=abcdef", "revised": "a cat"}', '"revised": "a cat"}', "abcdef"),
        ("https://m/x.png?a=1&amp;sig=abcdef", "a=1", "abcdef"),
    ],
)
def test_signatures_of_urls_are_masked(url: str, kept: str, gone: str) -> None:
    """A signed URL is a key to its picture; what else the URL says stays."""
    said = Redactor().text(url)
    assert gone not in said
    assert kept in said
    assert MASK in said


def test_headers_that_carry_credentials_are_masked_whatever_they_hold() -> None:
    """Authorization, cookies and API keys, in any case, also where their value is no key of ours."""
    lines = [("AUTHORIZATION", "Basic abc"), ("Set-Cookie", "a=b"), ("X-Api-Key", "1"), ("Content-Type", "text/plain")]
    assert dict(Redactor().headers(lines)) == {
        "AUTHORIZATION": MASK,
        "Set-Cookie": MASK,
        "X-Api-Key": MASK,
        "Content-Type": "text/plain",
    }


def test_ordinary_words_stay() -> None:
    """A secret too short to be one, and a text without any, change nothing."""
    text = "a cat, a key=1 and a test"
    assert Redactor(["cat", "test"]).text(text) == text
    assert Redactor([KEY]).json({"n": 1, "b": None, "t": [True, 1.5]}) == {"n": 1, "b": None, "t": [True, 1.5]}


@pytest.mark.parametrize("before", ["", "B", "Be", "Bearer ", '{"key": "'])
@pytest.mark.parametrize("after", ["", '"', '", "n": 1}'])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_key_in_base64_is_a_key(before: str, after: str, encode: Callable[[bytes], bytes]) -> None:
    """Wherever it begins in a group of three bytes, and in both alphabets: hardly a character of it stays."""
    key = "sk-main->>>???-0123456789"
    text = encode(f"{before}{key}{after}".encode()).decode()
    redactor = Redactor([key])
    assert redactor.holds_secret(text)
    for said in (redactor.text(f"got {text}."), redactor.data(f"got {text}.".encode()).decode()):
        assert MASK in said
        kept = said.removeprefix("got ").removesuffix(".").replace(MASK, "")
        assert len(kept) <= 2 + len(encode(f"{before}{after}".encode())) + 2


def test_a_picture_is_no_key() -> None:
    """Base64 that holds no key stays as it is."""
    text = base64.b64encode(bytes(range(256)) * 40)
    assert Redactor([KEY]).data(text) == text


@pytest.mark.parametrize("before", [b"", b"A" * 2_000_000, b'","' * 30_000, b"A" * 65_536, b"A" * 65_537])
def test_a_key_in_base64_is_found_beside_a_picture(before: bytes) -> None:
    """However long the strings around it are; only inside of one of megabytes nobody looks for it."""
    key = "sk-main->>>???-0123456789"
    data = b'{"a":"' + before + b'","b":"' + base64.b64encode(key.encode()) + b'","c":"' + b"A" * 100_000 + b'"}'
    redactor = Redactor([key])
    assert redactor.may_hold(data)
    assert MASK.encode() in redactor.data(data)
    assert not redactor.may_hold(data.replace(b"c2st", b"c2sT"))
