"""Other paths and methods."""

from __future__ import annotations

from testcard.conformance.case.asker import Asker, json_body
from testcard.core.exchange import GENERATIONS, MODELS, Request

UNKNOWN_PATH = "/images/generationz"


def unknown_path(ask: Asker) -> list[Request]:
    body = json_body(ask.body("nowhere"))
    return [
        Request("POST on an unknown path", path=UNKNOWN_PATH, body=body),
        Request("GET on an unknown path", method="GET", path=UNKNOWN_PATH),
    ]


def wrong_method(ask: Asker) -> list[Request]:
    body = json_body(ask.body("a refusal"))
    return [
        Request(f"{method} {GENERATIONS}", method=method, path=GENERATIONS, body=None if method == "GET" else body)
        for method in ("GET", "PUT", "DELETE")
    ]


def head(ask: Asker) -> list[Request]:
    """The method that proxies and monitors ask with; a body would be wrong, so nothing else is judged on it."""
    paths = [MODELS, GENERATIONS] if "models" in ask.target.capabilities else [GENERATIONS]
    return [Request(f"HEAD {path}", method="HEAD", path=path, judges=("transport.head",)) for path in paths]


def models(ask: Asker) -> list[Request]:
    return [Request("the list of models", method="GET", path=MODELS)] if "models" in ask.target.capabilities else []


def no_such_model(ask: Asker) -> list[Request]:
    """One model by its name. Who does not know the endpoint says 404 as well; nothing else is judged on it."""
    path = f"{MODELS}/no-such-model-{ask.salt('a model by its name')}"
    request = Request("a model that nobody has", method="GET", path=path, judges=("models.unknown",))
    return [request] if "models" in ask.target.capabilities else []
