"""What every job shares at the command line: errors a user can act on are one line, not a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

from eisen_ray.errors import EisenError

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""


def run_job(main: Callable[[], object]) -> NoReturn:
    """Run a job and end the process: 0 when `main` returns, 2 after an `EisenError`, 130 after Ctrl-C.

    An `EisenError` is printed as `error: <message>`, also when a worker process raised it and it arrives wrapped.
    Every other exception is a defect of this package and keeps its traceback.
    """
    try:
        main()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        known = user_error(error)
        if known is None:
            raise
        sys.stderr.write(f"error: {known}\n")
        sys.exit(EXIT_ERROR)
    sys.exit(0)


def user_error(error: BaseException) -> EisenError | None:
    """The `EisenError` that `error` is or carries as Ray's `cause`; None if there is none."""
    seen: set[int] = set()
    current: object = error
    found: EisenError | None = None
    while isinstance(current, BaseException) and id(current) not in seen:
        seen.add(id(current))
        # Ray's class is both its own error and ours and has a remote traceback as text: the innermost is clean.
        found = current if isinstance(current, EisenError) else found
        current = getattr(current, "cause", None)
    return found
