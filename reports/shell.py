"""What every page is made with: templates, the style sheet and the script inside it, and the policy that binds it."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

_POLICY = "default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"


def ours(text: str) -> Markup:
    """Markup that no server's text is part of, or that xml.etree has escaped."""
    return Markup(text)  # noqa: S704 (that is what this function vouches for)


def furniture() -> dict[str, Markup]:
    """`style`, `script` and the Content-Security-Policy that allows these two and nothing else."""
    style, script = _asset("report.css"), _asset("report.js")
    policy = _POLICY.format(style=_hash(style), script=_hash(script))
    return {"style": ours(style), "script": ours(script), "policy": ours(policy)}


@cache
def template(name: str) -> Template:
    """A template of this room; what it is given is escaped."""
    environment = Environment(
        loader=PackageLoader("testcard.reports"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(name)


@cache
def _asset(name: str) -> str:
    return (files("testcard.reports") / "templates" / name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    """The source expression of a Content-Security-Policy (CSP level 3, section 2.3.1)."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
