from __future__ import annotations

import pytest

from eisen_ray.errors import StorageError
from eisen_ray.runtime.storage_errors import told

# Named as botocore names them; it makes the first one anew in every client.
NoSuchBucket = type("NoSuchBucket", (Exception,), {})
EndpointConnectionError = type("EndpointConnectionError", (Exception,), {})


def meet(error: Exception, place: str = "s3://b/f", passing: type[OSError] | None = None) -> None:
    with told(place, "read", passing):
        raise error


def test_what_the_caller_can_answer_passes() -> None:
    with pytest.raises(FileNotFoundError):
        meet(FileNotFoundError("f"), passing=FileNotFoundError)
    with pytest.raises(StorageError, match="s3://b/f cannot be read: f"):
        meet(FileNotFoundError("f"))
    with told("s3://b/f", "read"):
        pass


def test_a_missing_bucket_is_no_missing_file() -> None:
    # As s3fs gives it: a FileNotFoundError because of the client's own.
    error = FileNotFoundError("The specified bucket does not exist")
    error.__cause__ = NoSuchBucket()
    with pytest.raises(StorageError, match="Create the bucket, or correct the address"):
        meet(error, passing=FileNotFoundError)


def test_each_cause_has_its_advice() -> None:
    with pytest.raises(StorageError, match=r"Forbidden\. Check AWS_ACCESS_KEY_ID"):
        meet(PermissionError("Forbidden"))
    with pytest.raises(StorageError, match=r"no answer\. Check the network and AWS_ENDPOINT_URL"):
        meet(EndpointConnectionError("no answer"))
    with pytest.raises(StorageError, match=r"cannot be read: ZeroDivisionError\.$"):
        meet(ZeroDivisionError())


def test_a_local_folder_gets_no_advice_about_clouds() -> None:
    with pytest.raises(StorageError, match=r"^/data/f cannot be read: Permission denied\.$"):
        meet(PermissionError("Permission denied"), "/data/f")


def test_our_own_words_are_kept() -> None:
    with pytest.raises(StorageError, match="^said before$"):
        meet(StorageError("said before"))
