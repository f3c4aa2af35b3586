"""The pictures that were answered as URLs, kept as recipes of a few hundred bytes and drawn when fetched."""

from __future__ import annotations

import secrets
from collections import OrderedDict

from testcard.mock_server.card import Recipe

_MOST = 20_000


class MediaStore:
    """The most recent recipes by token; the oldest is forgotten when there are too many."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._recipes: OrderedDict[str, Recipe] = OrderedDict()

    def add(self, recipe: Recipe) -> str:
        """Keep a recipe; the token cannot be guessed, since whoever has it needs no key."""
        token = secrets.token_hex(16)
        self._recipes[token] = recipe
        while len(self._recipes) > self._most:
            self._recipes.popitem(last=False)
        return token

    def get(self, token: str) -> Recipe | None:
        return self._recipes.get(token)

    def __len__(self) -> int:
        return len(self._recipes)
