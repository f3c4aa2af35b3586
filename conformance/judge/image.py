"""The truth about pictures."""

from __future__ import annotations

from collections.abc import Iterator

from testcard.conformance.judge.evidence import Evidence, broken, finding
from testcard.core.quantity import size_px
from testcard.core.record import Finding


def judge(evidence: Evidence) -> Iterator[Finding]:
    asked = evidence.fields.get("size")
    # A size that may be refused has a requirement of its own.
    wanted = size_px(asked) if isinstance(asked, str) and not evidence.request.may_refuse else None
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
        if wanted is not None and inspection.shown_px is not None:
            yield finding("image.size", inspection.shown_px == wanted, str(asked), f"{item.size} in {item.where}")
        if whole:
            yield finding(
                "image.trailing-bytes",
                inspection.trailing_bytes == 0,
                "nothing behind the end of the file",
                f"{inspection.trailing_bytes} bytes behind the end of the {picture.format} in {item.where}",
            )
        if whole and inspection.blank is not None:  # somebody looked at its pixels
            yield finding("image.not-blank", not inspection.blank, "something to see", f"{item.where} is of one colour")
            yield finding(
                "image.no-internals",
                inspection.leak is None,
                "metadata without paths and keys",
                f"{item.where}: {inspection.leak}",
            )
    digests = [item.inspection.picture.sha256 for item in evidence.pictures if item.inspection.picture.format]
    if len(digests) > 1:
        same = len(digests) - len(set(digests))
        yield finding(
            "image.distinct",
            same == 0,
            f"{len(digests)} different pictures",
            f"{same + 1} of {len(digests)} are the same bytes",
        )
        seen = [item.inspection.pixels for item in evidence.pictures if item.inspection.pixels is not None]
        alike = len(seen) - len(set(seen))
        if alike > same:
            yield broken(
                "image.distinct",
                f"{len(digests)} different pictures",
                f"{alike + 1} of {len(digests)} show the same pixels, in files that differ",
            )
