"""A load beyond one machine: a Locust cluster whose workers' records all end up with the master.

    load --master ─ run.py ─ stdin, files ─ master.py ═ Locust's messages ═ remote.py ─ attend.py ─ load --worker

The master's host has no worker; master.py keeps a copy of every line that a worker writes on its own host, so that
run.py follows files, as it does on one machine. A worker works off its part as on one machine (worker.py), with a brief
that came by message, its own keys, and its own clock. master.py and remote.py know Locust and gevent and run in
processes of their own; nothing else may import them.
"""

from testcard.load.cluster.admission import Terms
from testcard.load.cluster.attend import Visit
from testcard.load.cluster.listen import Cluster

__all__ = ["Cluster", "Terms", "Visit"]
