"""Rest for Ray Data's scheduler while it has nothing to wait for."""

from __future__ import annotations

import time

from ray.data._internal.execution.execution_callback import ExecutionCallback
from ray.data._internal.execution.streaming_executor import StreamingExecutor

# Prefetched batches last for seconds; a fiftieth of one goes unnoticed.
REST_S = 0.02


class RestWhenIdle(ExecutionCallback):
    """Sleeps in steps of the scheduling loop in which no task runs.

    Ray 2.60 waits for running tasks only. When all output queues are full, because training is slower than reading,
    none runs, and the loop turns without a pause: it took a whole core of two from the student.
    """

    def on_execution_step(self, executor: StreamingExecutor) -> None:
        """Called by Ray Data at every turn of the loop."""
        if not any(operator.get_active_tasks() for operator in executor._topology or ()):
            time.sleep(REST_S)
