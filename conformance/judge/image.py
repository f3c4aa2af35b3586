"""The truth about pictures."""

from __future__ import annotations

from collections.abc import Iterator

from testcard.conformance.judge.evidence import Evidence, finding
from testcard.core.quantity import size_px
from testcard.core.record import Finding


def judge(evidence: Evidence) -> Iterator[Finding]:
    asked = evidence.fields.get("size")
    wanted = size_px(asked) if isinstance(asked, str) else None
    for item in evidence.pictures:
        inspection, picture = item.inspection, item.inspection.picture
        if item.fetch is None:
            yield finding(
                "image.base64",
                item.base64_problem is None,
                "strict base64",
                f"{item.where}.b64_json: {item.base64_problem}",
            )
        whole = inspection.problem is None
        yield finding("image.decodable", whole, "a whole PNG, JPEG or WebP", f"{item.where}: {inspection.problem}")
        if wanted is not None and picture.width_px is not None:
            actual = (picture.width_px, picture.height_px)
            yield finding("image.size", actual == wanted, str(asked), f"{actual[0]}x{actual[1]} in {item.where}")
        if whole and inspection.blank is not None:
            yield finding("image.not-blank", not inspection.blank, "something to see", f"{item.where} is of one colour")
    digests = [item.inspection.picture.sha256 for item in evidence.pictures if item.inspection.picture.format]
    if len(digests) > 1:
        same = len(digests) - len(set(digests))
        yield finding(
            "image.distinct",
            same == 0,
            f"{len(digests)} different pictures",
            f"{same + 1} of {len(digests)} are the same bytes",
        )
