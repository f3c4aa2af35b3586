"""Black-box identification of a rate limiter: models of limiters, replayed over what was seen. No I/O, no clock."""

from testcard.load.ratelimit.catalogue import CONCURRENCY, UNEXPLAINED, UNLIMITED, kinds
from testcard.load.ratelimit.choose import Probe
from testcard.load.ratelimit.fitted import Fitted, Part
from testcard.load.ratelimit.identify import Bounds, Identification
from testcard.load.ratelimit.observation import Observation
from testcard.load.ratelimit.promise import Honesty, Promise

__all__ = [
    "CONCURRENCY",
    "UNEXPLAINED",
    "UNLIMITED",
    "Bounds",
    "Fitted",
    "Honesty",
    "Identification",
    "Observation",
    "Part",
    "Probe",
    "Promise",
    "kinds",
]
