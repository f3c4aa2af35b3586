"""Load: plans arrivals, sends them from Locust workers in processes of their own, records each, draws verdicts."""

from testcard.load.collect import Progress
from testcard.load.conclude import conclude
from testcard.load.generator import Generator
from testcard.load.plan import LoadPlan
from testcard.load.planning import allowance, highest_rate_per_s, pace, plan_load, require_within
from testcard.load.run import run
from testcard.load.scenario import Scenario, scenario, scenarios
from testcard.load.slo import parse_slo, slo_name

__all__ = [
    "Generator",
    "LoadPlan",
    "Progress",
    "Scenario",
    "allowance",
    "conclude",
    "highest_rate_per_s",
    "pace",
    "parse_slo",
    "plan_load",
    "require_within",
    "run",
    "scenario",
    "scenarios",
    "slo_name",
]
