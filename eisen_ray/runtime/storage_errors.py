"""What an object store's client raises, in words that a user can act on.

The clients have no common class for it: s3fs translates some answers to `OSError`s, others arrive as botocore's own
exceptions. They are told apart by the name of their class, so that nothing needs botocore to be installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from eisen_ray.errors import StorageError

_NO_BUCKET = {"NoSuchBucket"}
_NO_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError", "CredentialRetrievalError"}
_UNREACHABLE = {
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "ConnectionRefusedError",
    "gaierror",
}


@contextmanager
def told(place: str, doing: str, passing: type[OSError] | None = None) -> Iterator[None]:
    """Turn what a file system raises inside into a StorageError: "`place` cannot be `doing`: why, what to do".

    Args:
        place: folder or URL.
        doing: "read", "written", ...
        passing: an error to which the caller has an answer: an absent file, or one that exists already.

    Raises:
        StorageError: everything else.
    """
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        names = _names(error)
        if passing and isinstance(error, passing) and not names & _NO_BUCKET:
            raise
        raise StorageError(f"{place} cannot be {doing}: {_reason(error, names, place)}") from error


def _reason(error: Exception, names: set[str], place: str) -> str:
    said = str(error).strip().rstrip(".") or type(error).__name__
    if "://" not in place:
        return f"{said}."
    if names & _NO_BUCKET:
        return f"{said}. Create the bucket, or correct the address; a run never creates one."
    if names & _NO_CREDENTIALS:
        return (
            f"{said}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, on every machine, or give the "
            "machines a role."
        )
    if names & _UNREACHABLE:
        return (
            f"{said}. Check the network and AWS_ENDPOINT_URL (needed for every store but AWS's own) on every machine."
        )
    if isinstance(error, PermissionError):
        return (
            f"{said}. Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or the machines' role: it must be allowed to "
            "get, put, delete and list objects below this address."
        )
    return f"{said}."


def _names(error: BaseException) -> set[str]:
    """Names of the classes of an exception and of all that led to it."""
    names: set[str] = set()
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        names |= {kind.__name__ for kind in type(current).__mro__}
        current = current.__cause__ or current.__context__
    return names
