"""One HTTP/1 answer while it comes in, by llhttp's rules.

geventhttpclient gives the parser, which is Node's, in C. Its response classes are not used: they read by themselves,
and keep header lines in more forms than anybody asks for here.
"""

from __future__ import annotations

from geventhttpclient._parser import HTTPParseError as HTTPParseError
from geventhttpclient._parser import HTTPResponseParser

_FINAL = 200  # statuses below are interim answers (RFC 9110, section 15.2)


class Answer(HTTPResponseParser):
    """What is known of an answer. Keeps the body in the pieces in which it came."""

    def __init__(self) -> None:
        super().__init__()
        self.headed = False
        """Whether the header lines of the final answer are complete."""
        self.complete = False
        self.chunks: list[bytes | bytearray] = []
        self._names: list[str] = []
        self._values: list[str] = []
        self._naming = False

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The lines in the order in which they came, names as spelt."""
        return tuple(zip(self._names, self._values, strict=True))

    @property
    def content_coding(self) -> str:
        """The content codings of the body (RFC 9110, section 8.4), in the order in which they were applied."""
        if "content-encoding" not in "\n".join(self._names).lower():  # as nearly always
            return ""
        pairs = zip(self._names, self._values, strict=True)
        return ", ".join([value for name, value in pairs if name.lower() == "content-encoding"])

    @property
    def plain_length(self) -> int | None:
        """How long the body is, where Content-Length alone says so and the bytes are those of the body (RFC 9112,
        section 6.3). The parser has refused contradictions by then.
        """
        lengths = []
        for name, value in zip(self._names, self._values, strict=True):
            lower = name.lower()
            if lower in ("transfer-encoding", "content-encoding"):
                return None
            if lower == "content-length":
                lengths.append(value)
        return int(lengths[0]) if len(lengths) == 1 and lengths[0].isdecimal() else None

    # What the parser calls.

    def _on_message_begin(self) -> None:
        if self.headed:
            raise HTTPParseError("another answer follows the one that was asked for")
        self._names.clear()  # those of an interim answer
        self._values.clear()

    def _on_status(self, text: str) -> None:
        """The reason phrase tells nothing."""

    def _on_header_field(self, text: str) -> None:
        if self.headed:
            return  # a trailer (RFC 9110, section 6.5): may be left out
        if self._naming:
            self._names[-1] += text  # cut where the bytes were
            return
        self._naming = True
        self._names.append(text)
        self._values.append("")

    def _on_header_value(self, text: str) -> None:
        self._naming = False
        if not self.headed:
            self._values[-1] += text

    def _on_headers_complete(self) -> bool:
        self._naming = False
        self.headed = self.get_code() >= _FINAL
        return False  # whether there is no body is for the parser's own rules

    def _on_body(self, data: bytearray) -> None:
        self.chunks.append(data)

    def _on_message_complete(self) -> None:
        self.complete = self.headed
