"""The gateway: what becomes of a call, step by step.

The order is fixed: key, limit, path and method, body, model, wallet, capacity, pictures. A caller who is
known has its request counted whatever comes of it; a stranger learns nothing but 401, 404 and 405.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from testcard import schemas
from testcard.mock_server.account import Account, accounts
from testcard.mock_server.capacity import Capacity
from testcard.mock_server.card import Recipe, caption, draw
from testcard.mock_server.chance import digest, unit
from testcard.mock_server.faults import FAULTS
from testcard.mock_server.limiter import Admission
from testcard.mock_server.media import MediaStore
from testcard.mock_server.message import METHODS, MODELS, Answer, Call, Order
from testcard.mock_server.promise import promise
from testcard.mock_server.refusal import Refusal, refused
from testcard.mock_server.settings import MockSettings
from testcard.mock_server.truth import Truth
from testcard.mock_server.validation import fields_of, order_of
from testcard.mock_server.watermark import Identity, prompt_sha256

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_CHALLENGE = 'Bearer realm="testcard mock"'

_TIMING = "Server-Timing"

_Value = TypeVar("_Value")
_Context = TypeVar("_Context")


class Gateway:
    """One server: its accounts, its pictures, its time.

    Args:
        clock: seconds for the limiters, never going back. Windows of the clock begin at its whole multiples.
    """

    def __init__(self, settings: MockSettings, clock: Callable[[], float] | None = None) -> None:
        self._settings = settings
        self._clock = clock or _steady_wall_clock()
        self._faults = [fault for fault in FAULTS.values() if fault.name in settings.faults]
        self._promise = promise(settings.model)
        self._dialect = schemas.dialect(settings.dialect)
        opened = accounts(self._promise, settings.shape, settings.rpm, settings.window_s, settings.burst)
        self._accounts = _through(opened, (fault.accounts for fault in self._faults), None)
        self._capacity = Capacity(settings.capacity, settings.queue)
        self._latency = settings.latency
        self._started = int(time.time())
        self._calls = itertools.count(1)
        self._generations = itertools.count(1)
        self._memory: dict[str, Any] = {}
        self.media = MediaStore()
        self.truth = Truth(self._latency)

    def call(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, origin: str, query: str = ""
    ) -> Call:
        """A request as the gateway takes it: with the client's request id, or with a fresh one."""
        number = next(self._calls)
        request_id = headers.get("x-request-id", "")
        if not _SANE_ID.fullmatch(request_id):
            request_id = f"req_{digest(self._settings.seed, 'request', number).hex()}"
        return Call(method, path, headers, body, origin, request_id, self._promise, query, self._memory)

    async def answer(self, call: Call) -> Answer:
        """The answer of the API."""
        began = time.perf_counter()
        account: Account | None = None
        admission: Admission | None = None
        try:
            call = _through(call, (fault.arrival for fault in self._faults), None)
            account = self._accounts.get(call.key or "")
            admission = account.limiter.admit(self._clock()) if account else None
            answer = await self._serve(call, account, admission)
        except Refusal as refusal:
            answer = refused(refusal, self._dialect)
        finally:
            if account is not None and admission is not None and admission.admitted:
                account.limiter.release()
        for fault in self._faults:
            answer = await fault.hold(answer, call) if fault.hold is not None else answer
        lines: dict[str, str | None] = {"x-request-id": call.request_id}
        if admission is not None:
            lines |= admission.headers()
        if self._settings.server_timing:
            parts = (answer.header(_TIMING), _timed(total=time.perf_counter() - began))
            lines[_TIMING] = ", ".join(part for part in parts if part)
        return _through(answer.with_headers(lines), (fault.answer for fault in self._faults), call)

    def picture(self, token: str, call: Call) -> Answer:
        """The answer to the fetch of a picture, which needs no key."""
        recipe = self.media.get(self._memory.get(f"picture {token}", token))  # a fault may give it another name
        if recipe is None:
            answer = refused(Refusal(404, "There is no such picture, or no longer."), self._dialect)
        elif call.method not in ("GET", "HEAD"):
            answer = refused(_wrong_method(("GET", "HEAD")), self._dialect)
        else:
            answer = Answer(200, raw=self._draw(recipe), media_type="image/png")
        answer = answer.with_headers({"x-request-id": call.request_id})
        return _through(answer, (fault.media for fault in self._faults), call)

    async def _serve(self, call: Call, account: Account | None, admission: Admission | None) -> Answer:
        if admission is not None and not admission.admitted:
            raise Refusal(
                429,
                f"Over the limit of {admission.limit} requests; see Retry-After.",
                headers={"Retry-After": admission.retry_after},
            )
        allowed = METHODS.get(call.path)
        if allowed is None:
            raise Refusal(404, "There is nothing under this path.")
        if call.method == "OPTIONS":
            return Answer(204, headers=(("Allow", ", ".join((*allowed, "OPTIONS"))),), media_type=None)
        if call.method not in allowed:
            raise _wrong_method(allowed)
        if account is None:
            raise Refusal(401, "The API key is missing or invalid.", headers={"WWW-Authenticate": _CHALLENGE})
        call = _through(call, (fault.admitted for fault in self._faults), None)
        return self._models() if call.path == MODELS else await self._generate(call, account)

    def _models(self) -> Answer:
        model = {
            "id": self._promise.model,
            "object": "model",
            "created": self._started,
            "owned_by": "testcard",
        }
        return Answer(200, {"object": "list", "data": [model]})

    async def _generate(self, call: Call, account: Account) -> Answer:
        fields = _through(fields_of(call), (fault.fields for fault in self._faults), call)
        order = order_of(fields, self._promise)
        if order.model != self._promise.model:
            raise Refusal(404, f"There is no model {order.model[:80]!r}.", param="model")
        if account.wallet_empty:
            raise Refusal(402, "The wallet is empty.")
        order = _through(order, (fault.order for fault in self._faults), call)
        number = next(self._generations)
        asked = time.perf_counter()
        async with self._capacity.place():
            started = time.perf_counter()
            if unit(self._settings.seed, "unavailable", number) < self._settings.unavailable_rate:
                raise Refusal(503, "The upstream is at capacity; try again soon.", headers={"Retry-After": "1"})
            items = []
            for index in range(order.n):
                items.append(self._item(self._recipe(order, call, number, index), order, call))
                await asyncio.sleep(0)  # a large order leaves room for the others
            due = started + self._latency.draw(self._settings.seed, number, order.size)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            waited, served = started - asked, time.perf_counter() - started
            self.truth.waited.add(waited)
            self.truth.served.add(served)
        document = {"created": int(time.time()), "data": items}
        answer = Answer(200, _through(document, (fault.generated for fault in self._faults), order), order=order)
        if self._settings.server_timing:
            answer = answer.with_headers({_TIMING: _timed(queue=waited, generate=served)})
        return answer

    def _recipe(self, order: Order, call: Call, number: int, index: int) -> Recipe:
        identity = Identity(call.request_id, index, number, prompt_sha256(order.prompt))
        recipe = Recipe(identity, order.size, caption(order.prompt))
        return _through(recipe, (fault.recipe for fault in self._faults), order)

    def _item(self, recipe: Recipe, order: Order, call: Call) -> dict[str, Any]:
        if order.format == "b64_json":
            item = {"b64_json": base64.b64encode(self._draw(recipe)).decode("ascii")}
        else:
            item = {"url": f"{call.origin}/media/{self.media.add(recipe)}.png"}
        return _through(item, (fault.item for fault in self._faults), order)

    def _draw(self, recipe: Recipe) -> bytes:
        return _through(draw(recipe), (fault.picture for fault in self._faults), None)


def _steady_wall_clock() -> Callable[[], float]:
    """Seconds since 1970 that never go back, whatever becomes of the machine's clock."""
    ahead = time.time() - time.monotonic()
    return lambda: ahead + time.monotonic()


def _through(
    value: _Value, changes: Iterable[Callable[[_Value, _Context], _Value] | None], context: _Context
) -> _Value:
    for change in changes:
        if change is not None:
            value = change(value, context)
    return value


def _timed(**spans: float) -> str:
    """Metrics of Server-Timing, which counts in milliseconds."""
    return ", ".join(f"{name};dur={span * 1000:.3f}" for name, span in spans.items())


def _wrong_method(allowed: tuple[str, ...]) -> Refusal:
    return Refusal(405, f"Only {' and '.join(allowed)} can be asked here.", headers={"Allow": ", ".join(allowed)})
