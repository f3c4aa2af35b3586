"""Crowds: many clients hit a limit together, and each asks again as its retry policy says."""

from testcard.load.crowd.attempt import Attempt
from testcard.load.crowd.figures import figures
from testcard.load.crowd.policy import Policy, Reply, policies, policy
from testcard.load.crowd.simulation import simulate
from testcard.load.crowd.summary import CrowdRecords, forecast

__all__ = ["Attempt", "CrowdRecords", "Policy", "Reply", "figures", "forecast", "policies", "policy", "simulate"]
