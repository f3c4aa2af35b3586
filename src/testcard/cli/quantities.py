"""Option values that are quantities."""

from __future__ import annotations

import click

from testcard.core.errors import UsageError
from testcard.core.quantity import duration_s


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
