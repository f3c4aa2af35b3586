"""Crowds: many clients hit a limit together, and each asks again as its retry policy says."""

from testcard.load.crowd.attempt import Attempt, attempts_of
from testcard.load.crowd.figures import figures
from testcard.load.crowd.policy import Policy, Reply, policies, policy
from testcard.load.crowd.simulation import simulate

__all__ = ["Attempt", "Policy", "Reply", "attempts_of", "figures", "policies", "policy", "simulate"]
