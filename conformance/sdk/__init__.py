"""What the official SDKs make of the answers that a check got: replayed to them on loopback, and compared."""

from __future__ import annotations

from testcard.conformance.sdk.compare import compare
from testcard.conformance.sdk.process import ABSENT, Sdk, SdkSilent, installed
from testcard.conformance.sdk.replay import replaying
from testcard.conformance.sdk.sample import Samples

__all__ = ["ABSENT", "Samples", "Sdk", "SdkSilent", "compare", "installed", "replaying"]
