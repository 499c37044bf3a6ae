"""A whole run from the driver's side: connect, check the plan, run the rounds, say what came out, stop cleanly."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import ray

from eisen_ray.config import RunConfig
from eisen_ray.report.tables import round_table
from eisen_ray.runtime.cluster import capacity, connect
from eisen_ray.runtime.layout import CONTACT_SHEET, promotion_file
from eisen_ray.runtime.lines import table_row
from eisen_ray.runtime.placement import describe, make_plan
from eisen_ray.runtime.reporter import write_line
from eisen_ray.runtime.rounds import run_rounds
from eisen_ray.runtime.stopping import STOP, stopped
from eisen_ray.runtime.storage import Store
from eisen_ray.runtime.tracking import check_tracking

# Part of the path of a submitted job's working folder.
_JOB_COPY = "working_dir_files"


def bootstrap(config: RunConfig, plan_only: bool = False) -> None:
    """Run or continue a bootstrapping run and print its results.

    Args:
        config: the run.
        plan_only: print what would be placed where, touch no storage, and end.

    Raises:
        EisenError: something that the user can act on.
        Stopped: after Ctrl-C or SIGTERM, with the exit code that shells expect.
    """
    config = settled(config)
    check_tracking(config.report)
    connect()
    STOP.listen()
    try:
        plan = make_plan(config, capacity())
        write_line("\n".join(describe(plan)))
        if plan_only:
            return
        records = run_rounds(plan.config, plan.offered)
    except KeyboardInterrupt:
        raise stopped(signal.SIGINT) from None
    except SystemExit as end:
        raise (STOP.end or end) from None
    finally:
        # Workers must not outlive the driver: Train's actors end with the connection.
        ray.shutdown()
    store = Store(config.root)
    write_line("\n" + round_table([table_row(record) for record in records]) + "\n")
    write_line(f"checkpoint  {store.uri(store.read_json(promotion_file(config.rounds.num_rounds))['checkpoint'])}")
    if store.exists(CONTACT_SHEET):
        write_line(f"pictures    {store.uri(CONTACT_SHEET)}")
    write_line(f"curves      tensorboard --logdir {store.uri('tensorboard')}")


def settled(config: RunConfig) -> RunConfig:
    """The config with absolute local paths: workers have working folders of their own.

    A submitted job runs in a temporary copy of the working folder; there a relative root lies under the home folder.
    """
    here = Path.cwd()
    base = Path.home() if _JOB_COPY in here.parts else here
    data = replace(
        config.data, source=settled_place(config.data.source), eval_source=settled_place(config.data.eval_source)
    )
    flow = config.flow
    if (here / flow.weights).is_file():
        flow = replace(flow, weights=settled_place(flow.weights))
    root, targets = settled_place(config.root, base), settled_place(config.targets, base)
    return replace(config, root=root, targets=targets, data=data, flow=flow)


def settled_place(place: str, base: Path | None = None) -> str:
    """A local path as an absolute one, from `base` or the working folder on; a URL, and nothing, as they are."""
    if place == "" or "://" in place:
        return place
    return str(((base or Path.cwd()) / Path(place).expanduser()).resolve())
