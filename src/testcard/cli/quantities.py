"""Option values that are quantities, and such as must not be empty."""

from __future__ import annotations

import math
from pathlib import Path

import click

from testcard.core.errors import UsageError
from testcard.core.quantity import duration_s

_EMPTY = "it is empty: a variable that is not set? Give it a value, or leave the option out"


class Duration(click.ParamType[float]):
    """Seconds, written as `30s`, `200ms` or `1m`."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        try:
            return duration_s(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


class Amount(click.FloatRange):
    """A number in a range; `nan` and `inf` are none."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return float(super().convert(number, param, ctx))


class Text(click.ParamType[str]):
    """Text that is not empty."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not str(value).strip():
            self.fail(_EMPTY, param, ctx)
        return str(value)


class Folder(click.ParamType[Path]):
    """A folder to write into; the empty name would be the working directory."""

    name = "folder"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if not str(value).strip():
            self.fail(_EMPTY, param, ctx)
        return Path(str(value))
