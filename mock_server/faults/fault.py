"""A fault: one promise broken on purpose, as a change at one stage of the gateway.

The gateway knows no fault. At each stage it passes what it has through the changes of the faults that are
switched on, in the order of the table; a change gives back another value, or raises a Refusal.

    accounts    the accounts behind the keys, once at the start
    arrival     the call, before its key is looked at
    admitted    the call, once its key and its limit have let it in
    fields      the body as a JSON object, before it is validated
    order       the valid order, before it is carried out
    recipe      what is to be drawn, picture by picture
    picture     the bytes of a picture, wherever they are sent
    item        an item of `data`
    generated   the document of a 200 with pictures
    hold        any answer of the API, with all the time that it takes: others may be under way
    answer      any answer of the API, headers included
    media       the answer to the fetch of a picture
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testcard.core.exchange import Exchange
from testcard.mock_server.message import Answer, Call, Order

if TYPE_CHECKING:  # they lead to Pillow, which the table of faults can do without
    from testcard.mock_server.account import Account
    from testcard.mock_server.card import Recipe

Fields = dict[str, Any]
Item = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row of the table."""

    name: str
    breaks: tuple[str, ...]
    """Ids of the requirements that a server with this fault does not keep."""
    describe: str
    """One sentence: what the server does wrong."""
    dialect: str = "page"
    """A dialect in which that is wrong."""
    shown: Exchange | None = None
    """What a client would have recorded, where loopback cannot show it: the mock has no such fault, the judge is
    tried with this."""
    accounts: Callable[[dict[str, Account], None], dict[str, Account]] | None = None
    arrival: Callable[[Call, None], Call] | None = None
    admitted: Callable[[Call, None], Call] | None = None
    fields: Callable[[Fields, Call], Fields] | None = None
    order: Callable[[Order, Call], Order] | None = None
    recipe: Callable[[Recipe, Order], Recipe] | None = None
    picture: Callable[[bytes, None], bytes] | None = None
    item: Callable[[Item, Order], Item] | None = None
    generated: Callable[[Any, Order], Any] | None = None
    hold: Callable[[Answer, Call], Awaitable[Answer]] | None = None
    answer: Callable[[Answer, Call], Answer] | None = None
    media: Callable[[Answer, Call], Answer] | None = None
