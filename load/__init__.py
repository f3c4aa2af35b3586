"""Load: plans arrivals, sends them from Locust workers in processes of their own, records each, draws verdicts."""

from testcard.load.allowance import allowance, highest_rate_per_s, pace, require_within
from testcard.load.capacity.plan import DEFAULT_SLO
from testcard.load.capacity.run import search
from testcard.load.capacity.search import Look
from testcard.load.certificate import Truth
from testcard.load.cluster import Cluster, Terms, Visit
from testcard.load.collect import Progress
from testcard.load.conclude import conclude
from testcard.load.generator import Generator
from testcard.load.plan import LoadPlan
from testcard.load.planning import plan_load
from testcard.load.run import run
from testcard.load.scenario import Scenario, scenario, scenarios
from testcard.load.slo import parse_slo, slo_name

__all__ = [
    "DEFAULT_SLO",
    "Cluster",
    "Generator",
    "LoadPlan",
    "Look",
    "Progress",
    "Scenario",
    "Terms",
    "Truth",
    "Visit",
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
    "search",
    "slo_name",
]
