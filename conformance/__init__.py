"""Asks an API for pictures and judges every answer against its contract.

Asking: `check`, or pytest with `-p testcard.conformance.plugin`. Judging: `judge`, pure, on any exchange.
"""

from testcard.conformance.across import Across
from testcard.conformance.conclude import Tally
from testcard.conformance.contract import Contract
from testcard.conformance.gate import gate
from testcard.conformance.judge import judge
from testcard.conformance.likeness import Likeness, likeness
from testcard.conformance.options import CheckOptions, selected

__all__ = ["Across", "CheckOptions", "Contract", "Likeness", "Tally", "gate", "judge", "likeness", "selected"]
