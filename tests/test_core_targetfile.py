"""Where targets come from: profiles, files and options, and what is refused on the way."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import certifi
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from testcard import schemas
from testcard.core.errors import UsageError
from testcard.core.target import Keyring, Limit, Target, header_secrets, header_values
from testcard.core.targetfile import find_target, parse_headers, profile_target

BASE = 'base_url = "http://127.0.0.1:8600/v1"'


def read(
    folder: Path,
    text: str,
    *,
    name: str = "staging.toml",
    overrides: Mapping[str, Any] | None = None,
    confirmed_host: str | None = None,
) -> Target:
    """The target that a file makes: named with --target, or found where it is called testcard.toml."""
    (folder / name).write_text(text, encoding="utf-8")
    named = None if name in ("testcard.toml", "pyproject.toml") else str(folder / name)
    target = find_target(named, overrides or {}, folder, confirmed_host=confirmed_host)
    assert target is not None
    return target


def refused(folder: Path, text: str, **options: Any) -> str:
    """The one sentence with which a file is refused."""
    with pytest.raises(UsageError) as error:
        read(folder, text, **options)
    said = str(error.value)
    assert said
    assert "\n" not in said
    return said


def test_every_field_of_the_interface_is_read(tmp_path: Path) -> None:
    """The whole example of the public interface is a target, value by value."""
    authority = tmp_path / "corporate-ca.pem"
    authority.write_bytes(Path(certifi.where()).read_bytes())
    target = read(
        tmp_path,
        f"""
        [target]
        name = "staging"
        extends = "aigateway"
        base_url = "https://staging.example.net/v1"
        model = "some/model"
        dialect = "vendor"
        auth = "none"
        sizes = ["512x512", "1024x1024"]
        default_size = "512x512"
        max_n = 4
        response_formats = ["b64_json"]
        default_response_format = "b64_json"
        capabilities = ["generations"]
        media_hosts = ["media.example.net"]
        price_usd_per_image = 0.25
        timeout_s = 6.0
        ca_file = {json.dumps(str(authority))}
        [target.limit]
        requests = 30
        window_s = 10.0
        burst = 3.0
        [target.limited]
        requests = 5
        [target.keys]
        main = "STAGING_KEY"
        [target.headers]
        x-cache = "skip"
        x-team-token = "env:TEAM_TOKEN"
        [[slo]]
        quantile = 0.95
        bound_s = 1.0
        size = "1024x1024"
        confidence = 0.9
        [[known-failure]]
        requirement = "auth.challenge"
        reason = "ticket 4711"
        expires = 2027-03-01
        """,
    )
    assert (target.name, target.base_url, target.model) == ("staging", "https://staging.example.net/v1", "some/model")
    assert (target.dialect, target.auth, target.max_n, target.timeout_s) == ("vendor", "none", 4, 6.0)
    assert (target.sizes, target.default_size) == (("512x512", "1024x1024"), "512x512")
    assert (target.response_formats, target.default_response_format) == (("b64_json",), "b64_json")
    assert (target.capabilities, target.media_hosts) == (("generations",), ("media.example.net",))
    assert (target.price_usd_per_image, target.ca_file) == (0.25, str(authority))
    assert (target.limit, target.limited) == (Limit(30, 10.0, 3.0), Limit(5, 60.0, None))
    assert target.keys == {**Target("").keys, "main": "STAGING_KEY"}
    assert header_values(target, {"TEAM_TOKEN": "s3cret"}) == {"x-cache": "skip", "x-team-token": "s3cret"}
    assert [(slo.quantile, slo.bound_s, slo.size, slo.confidence) for slo in target.slos] == [
        (0.95, 1.0, "1024x1024", 0.9)
    ]
    assert [(row.requirement, row.reason, row.expires) for row in target.known_failures] == [
        ("auth.challenge", "ticket 4711", "2027-03-01")
    ]


def test_options_override_the_file_which_overrides_the_profile(tmp_path: Path) -> None:
    """Command line over testcard.toml over what it extends; keys and headers are merged name by name."""
    text = f"""
        [target]
        extends = "mock"
        {BASE}
        model = "from-the-file"
        dialect = "vendor"
        [target.keys]
        second = "TESTCARD_OTHER"
        [target.headers]
        x-cache = "skip"
        x-team = "blue"
    """
    overrides = {"model": "from-the-options", "dialect": None, "headers": {"x-team": "red"}}
    target = read(tmp_path, text, name="testcard.toml", overrides=overrides)
    assert target.model == "from-the-options"
    assert target.dialect == "vendor"
    assert target.max_n == profile_target("mock").max_n
    assert target.headers == {"x-cache": "skip", "x-team": "red"}
    assert (target.keys["main"], target.keys["second"]) == ("TESTCARD_API_KEY", "TESTCARD_OTHER")


def test_the_working_directory_is_asked_after_the_options(tmp_path: Path) -> None:
    """testcard.toml first, then [tool.testcard] of pyproject.toml; neither where --target names another."""
    (tmp_path / "pyproject.toml").write_text(f'[tool.testcard.target]\nname = "py"\n{BASE}\n')
    found = find_target(None, {}, tmp_path)
    assert found is not None
    assert found.name == "py"
    (tmp_path / "testcard.toml").write_text(f'[target]\nname = "own"\n{BASE}\n')
    found = find_target(None, {}, tmp_path)
    assert found is not None
    assert found.name == "own"
    found = find_target("mock", {}, tmp_path)
    assert found is not None
    assert found.name == "mock"


def test_nothing_named_is_no_target(tmp_path: Path) -> None:
    """Without option and file there is none; a base URL alone is a server that nobody described."""
    assert find_target(None, {"model": "some/model"}, tmp_path) is None
    target = find_target(None, {"base_url": "http://127.0.0.1:4000/v1/", "model": None}, tmp_path)
    assert target is not None
    assert (target.base_url, target.name, target.dialect) == ("http://127.0.0.1:4000/v1", "127.0.0.1", "openai")
    assert (target.sizes, target.default_size, target.limit) == ((), None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[target]\nmodell = 'm'", "did you mean model?"),
        ("[target.keys]\nmian = 'X'", "did you mean main?"),
        ("[target.limit]\nrequests = 1\nwindow = 60", "did you mean window_s?"),
        ("[[slos]]\nquantile = 0.95", "did you mean slo?"),
        ("[[slo]]\nquantil = 0.95\nbound_s = 1.0", "did you mean quantile?"),
        ("[[known-failure]]\nrequirement = 'auth.chalenge'\nreason = 'r'\nexpires = 2027-01-01", "auth.challenge?"),
        ("[target]\nextends = 'aigatewy'", "no such profile"),
    ],
)
def test_a_typo_is_named_with_what_was_meant(tmp_path: Path, text: str, said: str) -> None:
    """An unknown name in any table is refused with the nearest known one."""
    assert said in refused(tmp_path, text, overrides={"base_url": "http://127.0.0.1:1/v1"})


@pytest.mark.parametrize(
    "line",
    [
        'dialect = "klingon"',
        'auth = "basic"',
        "max_n = 0",
        "max_n = true",
        'max_n = "10"',
        "timeout_s = 0",
        'timeout_s = "60s"',
        "timeout_s = nan",
        'sizes = ["1024"]',
        'sizes = "1024x1024"',
        "sizes = [1024]",
        'response_formats = ["png"]',
        "response_formats = []",
        'response_formats = ["url"]\ndefault_response_format = "b64_json"',
        'sizes = ["512x512"]\ndefault_size = "64x64"',
        'capabilities = ["edits"]',
        'media_hosts = "media.example.net"',
        'ca_file = "no-such.pem"',
        f"ca_file = {json.dumps(__file__)}",
        "price_usd_per_image = -1",
        'price_usd_per_image = "cheap"',
        "model = 5",
        "name = 5",
        'keys = "X"',
        "keys = {main = 5}",
        "headers = 1",
        "headers = {x = 5}",
        'headers = {"x y" = "1"}',
        'headers = {x = "a\\nb"}',
        'headers = {authorization = "Bearer sk-1"}',
        'headers = {Content-Length = "3"}',
        'headers = {transfer-encoding = "chunked"}',
        'headers = {content-type = "text/plain"}',
        'headers = {X-Request-Id = "mine"}',
        'media_hosts = ["https://media.example.net"]',
        'media_hosts = ["media.example.net/pictures"]',
        'media_hosts = ["media.example.net:eighty"]',
        "request = {prompt = false}",
        "limit = 600",
        "limit = {window_s = 60}",
        "limit = {requests = 0}",
        "limit = {requests = 10, window_s = 0}",
        'limit = {requests = 10, burst = "two"}',
        "limit = {requests = 10, burst = 0.5}",
        "limit = {requests = 10, window_s = inf}",
        'public_keys = {main = "sk-1"}',
        "extends = 5",
        'extends = "mock"\nextends = "mock"',
    ],
)
def test_a_wrong_value_is_one_sentence(tmp_path: Path, line: str) -> None:
    """A value that means nothing is refused where it stands, never a traceback later."""
    said = refused(tmp_path, f"[target]\n{BASE}\n{line}\n")
    assert "staging.toml" in said


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8600/v1", "ftp://127.0.0.1/v1", "http://", "http://user:pw@h/v1", "http://h/v1?x=1", "http://h:99999/"],
)
def test_a_wrong_base_url_is_one_sentence(tmp_path: Path, url: str) -> None:
    """The address has a scheme and a host, no credentials and no query."""
    assert "base_url" in refused(tmp_path, f"[target]\nbase_url = {json.dumps(url)}\n")


@pytest.mark.parametrize("url", ["http://user:pw-of-mine@h/v1", "http://h/v1?key=pw-of-mine"])
def test_a_secret_in_a_base_url_is_not_repeated(tmp_path: Path, url: str) -> None:
    """A password or a query may be a key, and a CI log keeps what is printed."""
    said = refused(tmp_path, f"[target]\nbase_url = {json.dumps(url)}\n")
    assert "environment" in said
    assert "pw-of-mine" not in said


def test_a_base_url_with_the_endpoint_names_the_one_without(tmp_path: Path) -> None:
    """What a vendor's example shows is the whole address; the sentence says how much of it is wanted."""
    said = refused(tmp_path, '[target]\nbase_url = "https://h/v1/images/generations/"\n')
    assert said.endswith("write https://h/v1")


@pytest.mark.parametrize("host", ["media.example.net", "media.example.net:8080", "127.0.0.1:1", "[::1]:8080", "[::1]"])
def test_a_media_host_may_have_a_port(tmp_path: Path, host: str) -> None:
    """A name or an address, with a port or without."""
    assert read(tmp_path, f"[target]\n{BASE}\nmedia_hosts = [{json.dumps(host)}]").media_hosts == (host,)


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    """Editors on Windows begin a file with one; other encodings are told in a sentence of ours."""
    assert read(tmp_path, f"\ufeff[target]\n{BASE}\n").base_url == "http://127.0.0.1:8600/v1"
    (tmp_path / "latin.toml").write_bytes(b"[target]\nname = '\xe9'\n")
    with pytest.raises(UsageError, match="save it as UTF-8"):
        find_target(str(tmp_path / "latin.toml"), {}, tmp_path)


@pytest.mark.parametrize(
    "text", ["target = 5", "slo = 5", "slo = [5]", "[slo]\nquantile = 0.5", "known-failure = 'x'", "[target", "\x00"]
)
def test_a_file_of_another_shape_is_one_sentence(tmp_path: Path, text: str) -> None:
    """Tables that are no tables, and files that are no TOML."""
    refused(tmp_path, text, overrides={"base_url": "http://127.0.0.1:1/v1"})


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    """A file that is not there, and a name that is neither profile nor file."""
    with pytest.raises(UsageError, match="cannot be read"):
        find_target(str(tmp_path / "nowhere.toml"), {}, tmp_path)
    with pytest.raises(UsageError, match="did you mean mock"):
        find_target("mok", {}, tmp_path)
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(UsageError):
        find_target(str(tmp_path / "empty.toml"), {}, tmp_path)


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["url", "1x1", "env:HOME", "page", "http://[::1"])
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
_FIELDS = st.sampled_from([*Target.__dataclass_fields__, "extends"])


def _toml(value: object) -> str:
    """A value as TOML writes it inline; what TOML has no form for is left as text that it refuses."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float() | datetime.date():
            return str(value)
        case str():
            return json.dumps(value)
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{json.dumps(key)} = {_toml(item)}' for key, item in value.items())}}}"
        case _:
            return "nothing"


@given(st.dictionaries(_FIELDS, _VALUES, max_size=3), _VALUES, _VALUES)
@settings(deadline=None, max_examples=150, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_is_an_error_of_ours(tmp_path: Path, table: dict[str, Any], slo: Any, known: Any) -> None:
    """Whatever stands in a file, it makes a target or a UsageError."""
    rows = {"base_url": "http://127.0.0.1:1/v1", **table}
    text = f"slo = {_toml(slo)}\nknown-failure = {_toml(known)}\n[target]\n"
    text += "\n".join(f"{name} = {_toml(value)}" for name, value in rows.items())
    try:
        target = read(tmp_path, text)
    except UsageError:
        return
    Keyring(target, {})
    json.dumps(target.describe(), allow_nan=False)


@pytest.mark.parametrize("table", ["slo = []\nknown-failure = []\n[target]\n", "[target]\n"])
def test_the_media_host_stays_with_the_host(tmp_path: Path, table: str) -> None:
    """The media hosts of a profile are dropped when the host moves, kept when only the path does."""
    moved = read(tmp_path, f'{table}extends = "aigateway"\n{BASE}\n')
    assert moved.media_hosts == ()
    kept = read(tmp_path, f'{table}extends = "aigateway"\nbase_url = "https://api.aigateway.sh/v2"\n')
    assert kept.media_hosts == profile_target("aigateway").media_hosts != ()
    own = read(tmp_path, f'{table}extends = "aigateway"\n{BASE}\nmedia_hosts = ["127.0.0.1:1"]\n')
    assert own.media_hosts == ("127.0.0.1:1",)


def test_keys_of_the_mock_stay_with_the_mock(tmp_path: Path) -> None:
    """A user who names a key of his own gets that one, not the mock's; user files hold no keys at all."""
    target = find_target("mock", {"keys": {"main": "MINE"}}, tmp_path)
    assert target is not None
    assert Keyring(target, {"MINE": "sk-mine"}).get("main") == "sk-mine"
    assert profile_target("mock").public_keys
    for name in schemas.profiles():
        assert name == "mock" or not profile_target(name).public_keys


LOOPBACK = f"[target]\n{BASE}\n"
ELSEWHERE = '[target]\nextends = "aigateway"\nbase_url = "https://elsewhere.example/v1"\n'


@pytest.mark.parametrize("file", ["testcard.toml", "pyproject.toml"])
@pytest.mark.parametrize(
    ("text", "overrides", "said"),
    [
        (LOOPBACK + '[target.keys]\nmain = "OPENAI_API_KEY"', {}, "OPENAI_API_KEY"),
        (LOOPBACK + '[target.keys]\nlimited = "AWS_SECRET_ACCESS_KEY"', {}, "AWS_SECRET_ACCESS_KEY"),
        # --api-key-env answers for the main key, and for no other
        (LOOPBACK + '[target.keys]\nsecond = "GITHUB_TOKEN"', {"keys": {"main": "MINE"}}, "GITHUB_TOKEN"),
        (LOOPBACK + '[target.headers]\nx = "env:GITHUB_TOKEN"', {}, "GITHUB_TOKEN"),
        (LOOPBACK + '[target.headers]\nx = "env:GITHUB_TOKEN"', {"headers": {"y": "1"}}, "GITHUB_TOKEN"),
        (ELSEWHERE, {}, "--confirm-host elsewhere.example"),
        (ELSEWHERE, {"model": "m"}, "--confirm-host elsewhere.example"),
    ],
)
def test_a_found_file_gets_no_key_that_was_not_meant_for_it(
    tmp_path: Path, file: str, text: str, overrides: dict[str, Any], said: str
) -> None:
    """A file that came with a cloned repository names TESTCARD_ variables and hosts that the user named."""
    if file == "pyproject.toml":
        text = text.replace("[target", "[tool.testcard.target")
    assert said in refused(tmp_path, text, name=file, overrides=overrides)


def test_a_found_file_sends_no_key_in_the_clear(tmp_path: Path) -> None:
    """The host of the profile on another scheme or port is another address."""
    for address in ("http://api.aigateway.sh/v1", "https://api.aigateway.sh:8443/v1"):
        text = f'[target]\nextends = "aigateway"\nbase_url = "{address}"\n'
        assert "--confirm-host" in refused(tmp_path, text, name="testcard.toml")


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (LOOPBACK + '[target.keys]\nmain = "TESTCARD_STAGING"\n[target.headers]\nx = "env:TESTCARD_T"', {}),
        ('[target]\nextends = "aigateway"', {}),
        (ELSEWHERE, {"confirmed_host": "elsewhere.example"}),
        (ELSEWHERE, {"overrides": {"base_url": "https://mine.example/v1"}}),
        (LOOPBACK + '[target.keys]\nmain = "OPENAI_API_KEY"', {"overrides": {"keys": {"main": "MINE"}}}),
    ],
)
def test_a_found_file_that_asks_for_nothing_odd_is_used(tmp_path: Path, text: str, options: dict[str, Any]) -> None:
    """Loopback, the profile's own host, and what the user confirmed or named."""
    assert read(tmp_path, text, name="testcard.toml", **options).base_url


def test_a_named_file_may_name_any_variable(tmp_path: Path) -> None:
    """Who passes --target FILE has read it."""
    target = read(tmp_path, ELSEWHERE + '[target.keys]\nmain = "OPENAI_API_KEY"')
    assert Keyring(target, {"OPENAI_API_KEY": "sk-1"}).get("main") == "sk-1"


@pytest.mark.parametrize("line", ["x-cache", ": 1", "authorization: Bearer sk-1", "AUTHORIZATION : x"])
def test_a_wrong_header_option_is_one_sentence(line: str) -> None:
    """A header has a name and a value, and carries no key."""
    with pytest.raises(UsageError, match="--header"):
        parse_headers([line])


def test_header_options_are_read() -> None:
    """Names and values, trimmed; none is None, so that it overrides nothing."""
    assert parse_headers(["x-a: 1", "x-b:http://h:1/"]) == {"x-a": "1", "x-b": "http://h:1/"}
    assert parse_headers([]) is None


def test_a_header_that_is_named_like_a_key_is_a_secret() -> None:
    """Whoever writes an X-Api-Key down with --header finds it in no report; other headers stay readable."""
    headers = {"X-Api-Key": "written-down", "api_token": "another-one", "x-cache": "skip-it-all", "x-key": "short"}
    assert set(header_secrets(Target("http://127.0.0.1:1/v1", headers=headers))) == {"written-down", "another-one"}
