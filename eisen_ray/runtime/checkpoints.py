"""Finding a network in storage: a checkpoint folder, or the newest promoted round of a run; local or s3://.

Light: a door reads a checkpoint's settings to offer them in its `--help`, without torch and Ray.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eisen_ray.config import RunConfig
from eisen_ray.errors import ConfigError, StorageError, WeightsError
from eisen_ray.runtime.storage import Store
from eisen_ray.settings import from_dict
from eisen_ray.weights import SMALL

MANIFEST = "checkpoint.json"
"""The file that makes a folder a checkpoint; not imported from `learning.checkpoint_files`, which needs torch."""
WEIGHTS = "model.safetensors"
"""The file of its weights."""


@dataclass(frozen=True, kw_only=True)
class StoredCheckpoint:
    """Where a checkpoint lies and which network is in it."""

    root: str
    """Folder or URL above it."""
    path: str
    """Its folder, relative to `root`."""
    sha256: str
    """Hash of its weights, as its manifest says; checked when they are loaded."""
    config: RunConfig
    """The run that trained it."""

    @property
    def store(self) -> Store:
        """Storage of `root`."""
        return Store(self.root)

    @property
    def parent(self) -> str:
        """Folder or URL that holds the checkpoint's folder."""
        return str(self.store.uri(self.path)).rstrip("/").rpartition("/")[0]


def find_checkpoint(address: str) -> StoredCheckpoint:
    """The checkpoint that a folder or URL is, or that the newest promoted round of the run there names.

    Raises:
        WeightsError: neither, or settings that this version does not know.
        StorageError: the storage cannot be reached.
    """
    address = address.rstrip("/").removesuffix(f"/{MANIFEST}")
    root = address if "://" in address else str(Path(address).expanduser().absolute())
    store = Store(root)
    try:
        is_checkpoint = store.exists(MANIFEST)
        rounds = {} if is_checkpoint else _promoted(store)
    except StorageError:
        raise
    except Exception as error:  # what an object store's client raises is of no common class
        raise StorageError(f"Cannot look for a checkpoint at {address}: {error}") from error
    if is_checkpoint:
        above, _, name = root.rpartition("/")
        return _described(Store(above), name)
    if not rounds:
        raise WeightsError(
            f"No checkpoint at {address}: it holds neither {MANIFEST} nor rounds/<k>/teacher.json of a promoted round. "
            "Give a checkpoint folder, or the root of a run that has finished a round."
        )
    newest = rounds[max(rounds)]
    try:
        path = str(store.read_json(newest)["checkpoint"])
    except (TypeError, KeyError) as error:
        raise WeightsError(f"{store.uri(newest)} names no checkpoint; expected what a promotion writes.") from error
    if not store.exists(f"{path}/{MANIFEST}"):
        raise WeightsError(f"{store.uri(newest)} names the checkpoint {path}, which is not there.")
    return _described(store, path)


def _promoted(store: Store) -> dict[int, str]:
    """Files of promoted rounds by the number of the round."""
    names = [name.split("/") for name in store.files("rounds")]
    found = [name for name in names if len(name) == 2 and name[1] == "teacher.json" and name[0].isdecimal()]
    return {int(number): f"rounds/{number}/{file}" for number, file in found}


def _described(store: Store, path: str) -> StoredCheckpoint:
    manifest = store.read_json(f"{path}/{MANIFEST}")
    where = store.uri(f"{path}/{MANIFEST}")
    try:
        values, sha256 = manifest["meta"]["config"], manifest["files"][WEIGHTS]
    except (TypeError, KeyError) as error:
        raise WeightsError(f"{where} holds no settings or no hash of weights; expected a checkpoint's file.") from error
    try:
        config = from_dict(RunConfig, values)
    except ConfigError as error:
        raise WeightsError(f"The settings in {where} do not fit this version: {error}") from error
    return StoredCheckpoint(root=store.root, path=path, sha256=str(sha256), config=config)


def newest_run(folder: Path) -> Path | None:
    """The root of the run under a folder whose round was promoted last; None if there is none."""
    found = sorted(folder.glob("**/rounds/*/teacher.json"), key=lambda path: path.stat().st_mtime)
    return found[-1].parents[2] if found else None


def packaged_checkpoint() -> StoredCheckpoint:
    """The small network inside the package (docs/results/small-model.md)."""
    return find_checkpoint(str(SMALL))
