"""One round's training, seen from the driver: datasets that know what is used, Ray Train, and the final checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.data import ExecutionOptions, ExecutionResources
from ray.train import (
    Checkpoint,
    CheckpointConfig,
    DataConfig,
    FailureConfig,
    RunConfig,
    ScalingConfig,
    TrainingFailedError,
)
from ray.train.torch import TorchConfig, TorchTrainer

from eisen_ray.errors import EisenError
from eisen_ray.runtime.feed import Reading, train_worker, worker_settings
from eisen_ray.runtime.layout import RoundWork, training_folder
from eisen_ray.runtime.progress import BoardReader, Record, new_board

# Two steps' worth for each of some dozen blocks in flight, and room for a few blocks whatever their size.
READ_AHEAD_BATCHES = 24
MIN_READ_AHEAD_BYTES = 32 * 1024**2


class TrainingError(EisenError):
    """Training stopped, more often than `resources.max_failures` allows."""


class InterruptibleTrainer(TorchTrainer):
    """Ray Train, but Ctrl-C stays what it was.

    Ray 2.60 puts a handler of its own in place at every `fit` and leaves it there: a later Ctrl-C, between two
    trainings or in the second one, then ends the process with code 1 and without a word. Leaving `fit` by an exception
    is enough: the workers end with the driver's connection.
    """

    def _register_sigint_handler(self, controller: Any) -> None:
        """Install nothing."""


def fit_round(work: RoundWork, *, streams: bool, on_gpu: bool, tell: Callable[[Record], None]) -> Checkpoint:
    """Train a round's student, or go on where an earlier attempt stopped.

    Args:
        work: the round; its reading list must be written.
        streams: first epoch through the pools.
        on_gpu: whether the cluster has GPUs.
        tell: gets the workers' progress records.

    Returns:
        The checkpoint of the last step.

    Raises:
        TrainingError: workers failed more often than allowed.
    """
    names = ("first", "stored") if streams else ("stored",)
    board = new_board()
    datasets: dict[str, Any] = {name: Reading(work, name, streams, on_gpu) for name in names}
    trainer = InterruptibleTrainer(
        train_worker,
        train_loop_config=worker_settings(work, names, board),
        torch_config=TorchConfig(backend="nccl" if on_gpu else "gloo"),
        scaling_config=scaling(work, on_gpu),
        run_config=run_config(work),
        datasets=datasets,
        dataset_config=DataConfig(execution_options=_reading_options(work)),
    )
    with BoardReader(board, tell):
        try:
            result = trainer.fit()
        except TrainingFailedError as error:
            raise TrainingError(_reason(work, error)) from error
    if result.checkpoint is None:
        raise TrainingError(f"Training of round {work.round_number} ended without a checkpoint; run the command again.")
    return result.checkpoint


def scaling(work: RoundWork, on_gpu: bool) -> ScalingConfig:
    """Workers of the student."""
    resources = work.config.resources
    # Whole GPUs per worker: shares cannot hold an NCCL group. A CPU worker's logical CPUs leave room for decoding.
    share = {"GPU": resources.train_gpus, "CPU": 1.0} if on_gpu else {"CPU": resources.train_cpus}
    return ScalingConfig(num_workers=resources.train_workers, use_gpu=on_gpu, resources_per_worker=share)


def run_config(work: RoundWork) -> RunConfig:
    """Where Ray Train keeps a round's checkpoints; the same name and place is what makes it resume."""
    folder, name = training_folder(work.round_number).rsplit("/", 1)
    return RunConfig(
        name=name,
        storage_path=work.store.uri(folder),
        failure_config=FailureConfig(max_failures=work.config.resources.max_failures),
        # Two: the one before survives while the newest is being written.
        checkpoint_config=CheckpointConfig(num_to_keep=2),
    )


def _reason(work: RoundWork, error: TrainingFailedError) -> str:
    failures = getattr(error, "worker_failures", {}) or {0: error}
    named = "; ".join(f"worker {rank}: {_innermost(failure)}" for rank, failure in sorted(failures.items()))
    return (
        f"Training of round {work.round_number} failed ({named}). Its checkpoints are kept: when the cause is gone, "
        "run the same command to continue."
    )


def _innermost(error: BaseException) -> str:
    # Ray wraps what a worker raised, with the remote traceback as text; the last line is the error itself.
    inner = getattr(error, "cause", None) or error.__cause__
    if isinstance(inner, BaseException):
        return _innermost(inner)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1] if lines else 'no message'}"


def _reading_options(work: RoundWork) -> ExecutionOptions:
    data, train = work.config.data, work.config.train
    # Read-ahead without a limit would decode far past the end of the round and take the CPU from the first steps.
    ahead = READ_AHEAD_BATCHES * train.batch_size * data.image_height * data.image_width * 3
    limits = ExecutionResources(object_store_memory=max(ahead, MIN_READ_AHEAD_BYTES))
    # In order: with one worker the same seed then gives the same batches, run after run.
    return ExecutionOptions(preserve_order=True, resource_limits=limits)
