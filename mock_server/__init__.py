"""A gateway that keeps every promise of the contract, and can break each one on request.

Its parts are loaded when they are asked for: the table of faults must not cost the import of a web server.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from testcard.mock_server.app import create_app
    from testcard.mock_server.faults import FAULTS, Fault
    from testcard.mock_server.server import running, serve
    from testcard.mock_server.settings import MockSettings
    from testcard.mock_server.watermark import Identity, identity, prompt_sha256

__all__ = [
    "FAULTS",
    "Fault",
    "Identity",
    "MockSettings",
    "create_app",
    "identity",
    "prompt_sha256",
    "running",
    "serve",
]

_ROOM = {
    "FAULTS": "faults",
    "Fault": "faults",
    "Identity": "watermark",
    "MockSettings": "settings",
    "create_app": "app",
    "identity": "watermark",
    "prompt_sha256": "watermark",
    "running": "server",
    "serve": "server",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOM:
        raise AttributeError(f"module {__name__} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOM[name]}"), name)
