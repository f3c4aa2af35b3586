"""What sends: one worker's part of a load, on the event loop. Knows gevent, and nothing of what answers are worth.

Importing it imports gevent, so that only locustfile.py, cluster/remote.py and what only they import may do so: in
processes of their own. What leaves it are plain values (reply.py, handover.py).
"""

from testcard.load.worker.work import work

__all__ = ["work"]
