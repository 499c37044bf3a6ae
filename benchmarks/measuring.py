"""What all benchmarks share: sides measured in turn, medians and ratios, one table, one JSON file.

A ratio compares two ways in one run on one machine: repeats alternate, so that a machine that changes its speed changes
both sides. Peak memory is that of a process of its own for each side.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

REPEATS = 7
# What is warmed up, caches and the processor's clock, is nothing beside a run of this many seconds.
LONG_S = 3.0
RESULTS = Path(__file__).parent / "results"

Work = Callable[[], object]


@dataclass
class Comparison:
    """Our way and another way of the same work.

    Attributes:
        name: what is compared.
        ours, other: median seconds, or bytes.
        floor: the ratio other / ours that is asked for; None = only reported.
        unit: of `ours` and `other`.
        spread: smallest and largest of each side.
    """

    name: str
    ours: float
    other: float
    floor: float | None = None
    unit: str = "s"
    spread: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """How many times less ours takes."""
        return self.other / self.ours

    @property
    def verdict(self) -> str:
        """Whether the floor is met."""
        if self.floor is None:
            return "-"
        return f"{'met' if self.ratio >= self.floor else 'MISSED'} (>= {self.floor:g})"


def alternate(sides: Mapping[str, Work], repeats: int = REPEATS, warm_up: bool = True) -> dict[str, list[float]]:
    """Seconds of every side, `repeats` times in turn, after one run of each that does not count unless it is long."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats + warm_up):
        for name, work in sides.items():
            if len(times[name]) == repeats:
                continue
            began = time.perf_counter()
            work()
            took = time.perf_counter() - began
            if repeat >= warm_up or took >= LONG_S:
                times[name].append(took)
    return times


def compare(name: str, ours: Work, other: Work, *, floor: float | None = None, repeats: int = REPEATS) -> Comparison:
    """Median seconds of two ways, measured in turn."""
    times = alternate({"ours": ours, "other": other}, repeats)
    return of_times(name, times["ours"], times["other"], floor)


def of_times(name: str, ours: Sequence[float], other: Sequence[float], floor: float | None = None) -> Comparison:
    """A comparison of times that were measured in turn."""
    spread = {"ours": [min(ours), max(ours)], "other": [min(other), max(other)]}
    return Comparison(name, statistics.median(ours), statistics.median(other), floor, "s", spread)


def peak_bytes(work: Callable[..., object], *arguments: Any) -> int:
    """How much a function adds to the peak memory of a fresh process; it must be importable by name."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measured, args=(sender, work, arguments))
    process.start()
    sender.close()
    try:
        return int(receiver.recv())
    finally:
        process.join()


def _measured(sender: Any, work: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    work(*arguments, prepare_only=True)
    before = _peak_so_far(forget=True)
    work(*arguments)
    sender.send(_peak_so_far() - before)


def _peak_so_far(forget: bool = False) -> int:
    """Bytes of this process's highest resident set; forget: begin anew from what is resident now, where Linux can."""
    clear, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    if not clear.exists():
        # Kibibytes but on macOS.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if forget:
        clear.write_text("5", encoding="ascii")
    line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def report(benchmark: str, settings: Mapping[str, Any], comparisons: Sequence[Comparison]) -> None:
    """Print the table and write `benchmarks/results/NAME.json`."""
    print(f"\n{benchmark}: {', '.join(f'{key} {value}' for key, value in settings.items())}")
    width = max(len(each.name) for each in comparisons)
    print(f"{'':{width}}  {'ours':>10}  {'other':>10}  {'ratio':>7}  floor")
    for each in comparisons:
        print(
            f"{each.name:{width}}  {_shown(each.ours, each.unit):>10}  {_shown(each.other, each.unit):>10}  "
            f"{each.ratio:>7.2f}  {each.verdict}"
        )
    RESULTS.mkdir(exist_ok=True)
    content = {
        "benchmark": benchmark,
        "settings": dict(settings),
        "machine": machine(),
        "comparisons": [{**vars(each), "ratio": each.ratio, "verdict": each.verdict} for each in comparisons],
    }
    (RESULTS / f"{benchmark}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """Where and with what this was measured."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _shown(value: float, unit: str) -> str:
    if unit == "bytes":
        return f"{value / 2**20:.1f} MiB"
    return f"{value * 1000:.1f} ms" if value < 10 else f"{value:.1f} s"
