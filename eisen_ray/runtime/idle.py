"""How Ray Data behaves in this process: no bars, no endless waits, and a scheduler that pauses between its turns."""

from __future__ import annotations

import logging
import time

from ray.data import DataContext
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

    def on_execution_step(self, executor: StreamingExecutor) -> None:
        """Called by Ray Data at every turn of the loop."""
        time.sleep(REST_S)


def prepare_data_context() -> None:
    """Set up Ray Data for the datasets that this process makes: the driver, and the controller of each training."""
    context = DataContext.get_current()
    # The driver prints lines of its own that read well in a terminal and in a log.
    context.enable_progress_bars = False
    # A pipeline without any progress for so long is stuck: an error is better than a night of waiting.
    context.execution_no_progress_timeout_s = 900
    if RestBetweenTurns not in context.custom_execution_callback_classes:
        context.custom_execution_callback_classes.append(RestBetweenTurns)
    # Ray Data warns that its progress bars are off, which is what was asked for.
    logging.getLogger("ray.data").setLevel(logging.ERROR)
