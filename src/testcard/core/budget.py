"""Money is spent by reservation: what a request could bill is set aside before it is sent."""

from __future__ import annotations

import threading

from testcard.core.errors import BudgetExhausted


class Budget:
    """Counts images and refuses the one too many. Thread-safe.

    Args:
        images: how many images may be billed; None: as many as asked.
        usd: how much they may cost; None: no bound.
        price_usd: the price of one image; None: unknown.
    """

    def __init__(self, images: int | None = None, usd: float | None = None, price_usd: float | None = None) -> None:
        self._lock = threading.Condition()
        self._most = images
        self._named = f"{images} images"
        if usd is not None and price_usd:
            affordable = int(usd / price_usd + 1e-9)
            if images is None or affordable < images:
                self._most = affordable
                self._named = f"${usd:g}, {affordable} images at ${price_usd:g} each,"
        self.price_usd = price_usd
        self.spent = 0
        self._reserved = 0

    def reserve(self, images: int) -> None:
        """Set aside what the next request could bill; waits where only other reservations stand in the way.

        Raises:
            BudgetExhausted: it would be more than is left.
        """
        with self._lock:
            while self._most is not None and self.spent + self._reserved + images > self._most:
                if self._reserved and self.spent + images <= self._most:
                    self._lock.wait()
                    continue
                raise BudgetExhausted(self._sentence(images, self._most - self.spent - self._reserved))
            self._reserved += images

    def _sentence(self, images: int, left: int) -> str:
        raise_it = "raise --budget-images or --budget-usd"
        if left <= 0 and self.spent:
            return (
                f"the budget of {self._named} is used up ({self.spent} billed); what is next needs {images}: {raise_it}"
            )
        return (
            f"the budget of {self._named} is too small ({self.spent} billed): what is next needs {images}; {raise_it}"
        )

    def settle(self, reserved: int, billed: int) -> None:
        """Turn a reservation into what the answer really billed."""
        with self._lock:
            self._reserved -= reserved
            self.spent += billed
            self._lock.notify_all()

    @property
    def left(self) -> int | None:
        """Images that may still be billed; None: no bound."""
        with self._lock:
            return None if self._most is None else max(0, self._most - self.spent - self._reserved)

    @property
    def usd(self) -> float | None:
        """What was billed so far, or None where the price is unknown."""
        return None if self.price_usd is None else round(self.spent * self.price_usd, 6)
