"""Load: plans arrivals, sends them from Locust workers in processes of their own, records each, draws verdicts."""

from testcard.load.collect import Progress
from testcard.load.conclude import conclude
from testcard.load.generator import Generator
from testcard.load.plan import LoadPlan, highest_rate_per_s, plan_load
from testcard.load.run import run
from testcard.load.scenario import Scenario, scenario, scenarios
from testcard.load.slo import parse_slo, slo_name

__all__ = [
    "Generator",
    "LoadPlan",
    "Progress",
    "Scenario",
    "conclude",
    "highest_rate_per_s",
    "parse_slo",
    "plan_load",
    "run",
    "scenario",
    "scenarios",
    "slo_name",
]
