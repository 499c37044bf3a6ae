"""A pause between the turns of Ray Data's scheduler."""

from __future__ import annotations

import time

from ray.data._internal.execution.execution_callback import ExecutionCallback
from ray.data._internal.execution.streaming_executor import StreamingExecutor

# Each turn collects all finished tasks and starts as many as fit, so 50 turns a second are enough for stages whose
# tasks last tens of milliseconds and more.
REST_S = 0.02


class RestBetweenTurns(ExecutionCallback):
    """Sleeps a little at every turn of the scheduling loop.

    Ray 2.60 waits for tasks to finish, but not for a full output queue to empty. When training is slower than
    reading, which it should be, the loop then turns without a pause: it took one core of two from the student.
    """

    def on_execution_step(self, executor: StreamingExecutor) -> None:  # noqa: ARG002 - Ray gives it
        """Called by Ray Data at every turn of the loop."""
        time.sleep(REST_S)
