"""The scenario `limit`: drives one key over its limit, identifies the limiter, holds it to what its 429s promise."""

from testcard.load.limitlab.plan import LimitPlan

__all__ = ["LimitPlan"]
