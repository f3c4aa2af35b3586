"""What an answer says of itself, and what of the server's inside it shows: each row is one answer."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from answered import MOCK, PNG, Row, asked, b64, good, judged

COUNTED: tuple[dict[str, Any], ...] = (
    {}, {"input_tokens": 5, "output_tokens": 9, "total_tokens": 14, "input_tokens_details": None},
    {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}, {"generated_images": 1}, {"cost": 0.0012},
    {"total_tokens": 30, "input_tokens": 5, "output_tokens": 9}, {"total_tokens": 5.0, "images": "one"},
)  # fmt: skip
MISCOUNTED: tuple[object, ...] = (7, [], "none", {"input_tokens": "5"}, {"total_tokens": 1.5}, {"output_tokens": -1},
                      {"input_tokens": True}, {"input_tokens": 5, "output_tokens": 9, "total_tokens": 9},
                      {"generated_images": 2}, {"images": 0})  # fmt: skip
WITH_QUALITY = dataclasses.replace(MOCK, request={"quality": {"type": "string", "enum": ["low", "high", "auto"]}})
ROWS: dict[str, Row] = {
    # The types of members, and null.
    **{
        f"an item with {member}": Row(good(b64(PNG) | {"revised_prompt": member}), broken=("response.item-types",))
        for member in (7, True, ["a cat"], {"text": "a cat"})
    },
    "a url as a number": Row(good(b64(PNG) | {"url": 1}),
                             broken=("response.item-types", "response.one-representation")),
    "base64 in a list": Row(good({"b64_json": ["x"]}), broken=("response.item-types", "generate.b64-json")),
    "null for a revised prompt": Row(good(b64(PNG) | {"revised_prompt": None}), broken=("response.no-null",),
                                     held=("response.item-types",)),
    **{
        f"null for {name}": Row(good(**{name: None}), broken=("response.no-null",))
        for name in ("background", "output_format", "quality", "size", "usage")
    },
    "null that no contract names": Row(good(b64(PNG) | {"finish_reason": None, "index": 0}, system_fingerprint=None),
                                       held=("response.no-null",)),
    # What an answer says of itself.
    **{
        f"true: {said}": Row(good(b64(PNG) | item, **said), held=("response.echo-true",))
        for item, said in (
            ({}, {"size": "64x48"}), ({}, {"size": "64*48"}), ({}, {"output_format": "png"}), ({}, {"n": 1}),
            ({"media_type": "image/png"}, {}), ({"width": 64, "height": 48}, {"size": "auto"}),
            ({}, {"response_format": "b64_json"}), ({"size": "64 x 48"}, {"format": "PNG"}),
        )
    },
    **{
        f"untrue: {item} {said}": Row(good(b64(PNG) | item, **said), broken=("response.echo-true",))
        for item, said in (
            ({}, {"size": "1024x1024"}), ({}, {"output_format": "jpeg"}), ({}, {"n": 2}), ({"size": "48x64"}, {}),
            ({"content_type": "image/webp"}, {}), ({"width": 1024, "height": 1024}, {}),
            ({}, {"response_format": "url"}), ({"format": "jpg"}, {"size": "64x48"}),
        )
    },
    **{
        f"no echo: {said}": Row(good(**said), silent=("response.echo-true",))
        for said in ({"size": "auto"}, {"size": "2K"}, {"size": [64, 48]}, {"format": "b64_json"}, {"n": True},
                     {"quality": "high"}, {"width": 64}, {"background": "opaque"})
    },
    "another quality": Row(good(quality="low"), request=asked(fields={"quality": "high"}), target=WITH_QUALITY,
                           broken=("response.echo-true",)),
    # What the target does not declare may be ignored, and who says so tells the truth.
    "a style of its own": Row(good(style="natural"), request=asked(fields={"style": "vivid"}),
                              silent=("response.echo-true",)),
    "the server's own quality": Row(good(quality="low"), request=asked(fields={"quality": "auto"}),
                                    silent=("response.echo-true",)),
    **{
        f"model {name}": Row(good(model=name), held=("response.model-echo",))
        for name in (MOCK.model, "flux-2-klein-4b", "@cf/black-forest-labs/flux-2-klein-4b", "FLUX.2-klein-4B",
                     "flux-2-klein-4b-2026-01-14")
    },
    "another model": Row(good(model="some-lab/sd-turbo"), broken=("response.model-echo",)),
    "a model as an object": Row(good(model={"id": 1}), silent=("response.model-echo",)),
    **{
        f"usage {usage}": Row(good(usage=usage), held=("response.usage",))
        for usage in COUNTED
    },
    **{
        f"bad usage {usage}": Row(good(usage=usage), broken=("response.usage",))
        for usage in MISCOUNTED
    },
    # What nobody outside should see.
    **{
        f"inside: {more}"[:60]: Row(good(b64(PNG) | item, **more), broken=("response.no-internals",))
        for item, more in (
            ({"file_path": "/app/out/1.png"}, {}), ({"saved": "/home/render/1.png"}, {}),
            ({}, {"log": ["at /tmp/x.log"]}),
            ({}, {"a": {"b": "C:\\render\\out\\1.png"}}), ({}, {"src": "file:///var/lib/models/m.bin"}),
            ({}, {"upstream": "http://10.0.0.7:8188/prompt"}), ({}, {"u": "see http://comfy.default.svc.cluster.local."}),
            ({}, {"via": "https://comfy.internal/x"}), ({}, {"token": "sk-0123456789abcdefghij"}),
        )
    },
    "inside, in a header": Row(good(), headers={"X-Upstream": "http://192.168.1.4:7860"},
                               broken=("response.no-internals",)),
    **{
        f"for everybody: {more}"[:60]: Row(good(b64(PNG) | item, **more), held=("response.no-internals",))
        for item, more in (
            ({"revised_prompt": "a cat in /home/cat/basket"}, {}), ({}, {"prompt": "say sk-0123456789abcdefghij"}),
            ({}, {"docs": "https://docs.example.com/home/errors"}), ({}, {"href": "/v1/images/7/content"}),
            ({}, {"self": "http://127.0.0.1:9/v1/images/7"}), ({}, {"id": "img_home/tmp/x", "path": "/v1/images"}),
            ({}, {"note": "png/jpeg and/or/etc/while waiting", "time": "12:00/13:00"}), ({}, {"deep": [[[[[["x"]]]]]]}),
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_a_200_is_taken_at_its_word(name: str) -> None:
    """What the row says is held, broken or passed over in silence, and nothing else is broken."""
    row = ROWS[name]
    judgement = judged(row)
    broken = {finding.requirement for finding in judgement.broken}
    assert broken == set(row.broken), judgement.broken
    assert set(row.held) <= set(judgement.held)
    assert not {*broken, *judgement.held} & set(row.silent)
    assert all(finding.expected and finding.actual and len(finding.actual) < 500 for finding in judgement.broken)
