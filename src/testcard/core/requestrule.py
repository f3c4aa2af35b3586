"""[target.request]: what a target says about fields of the request body, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from testcard.core.errors import UsageError

TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
_NUMBERS = ("minimum", "maximum", "maxLength")
KEYWORDS = ("type", "enum", *_NUMBERS)


def request_rules(rules: Any, where: str) -> dict[str, dict[str, Any] | Literal[False]]:
    """The rules by field: keywords of JSON Schema, or False for a field that the target does not take.

    TOML has no null. Where the type allows null, or none is named, so does an enum.

    Raises:
        UsageError: a rule is no such thing.
    """
    if not isinstance(rules, Mapping):
        raise UsageError(f"{where} must be a table of fields")
    if rules.get("prompt") is False:
        raise UsageError(f"{where} prompt = false: nothing can be asked without a prompt")
    return {str(name): _rule(rule, f"{where} {name}") for name, rule in rules.items()}


def _rule(rule: Any, where: str) -> dict[str, Any] | Literal[False]:
    if rule is False:
        return False
    if not isinstance(rule, Mapping) or not rule:
        raise UsageError(f"{where}: write false for a field that is not taken, or a table of {', '.join(KEYWORDS)}")
    for keyword, value in rule.items():
        if keyword not in KEYWORDS:
            raise UsageError(f"{where}: unknown key {keyword!r}: one of {', '.join(KEYWORDS)}")
        if not _fits(keyword, value):
            raise UsageError(f"{where}: {keyword} = {value!r} is not what JSON Schema calls a {keyword}")
    result = dict(rule)
    if "enum" in result and "null" in result.get("type", ("null",)):
        result["enum"] = [*(value for value in result["enum"] if value is not None), None]
    return result


def _fits(keyword: str, value: Any) -> bool:
    if keyword == "type":
        kinds = value if isinstance(value, list) else [value]
        return bool(kinds) and all(kind in TYPES for kind in kinds)
    if keyword == "enum":
        words = [word for word in value if word is not None] if isinstance(value, list) else []
        return bool(words) and all(isinstance(word, str) for word in words)
    return isinstance(value, (int, float)) and not isinstance(value, bool)
