from __future__ import annotations

import os
import pickle
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eisen_ray.errors import StorageError
from eisen_ray.runtime.storage import Store


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(str(tmp_path / "root") if request.param == "local" else f"memory://{uuid.uuid4().hex}")


def test_what_is_written_is_read_and_overwritten(store: Store) -> None:
    store.write("a/b.bin", b"one")
    store.write("a/b.bin", b"two")
    assert store.read("a/b.bin") == b"two"
    assert store.exists("a/b.bin")
    assert not store.exists("a/c.bin")


def test_json_keeps_values(store: Store) -> None:
    store.write_json("x.json", {"b": [1, 2.5], "a": None})
    assert store.read_json("x.json") == {"a": None, "b": [1, 2.5]}


def test_damaged_json_names_the_file(store: Store) -> None:
    store.write("x.json", b"{")
    with pytest.raises(StorageError, match=r"x\.json is not JSON"):
        store.read_json("x.json")


def test_absent_file_names_itself(store: Store) -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        store.read("nothing")


def test_only_the_first_create_wins(store: Store) -> None:
    assert store.create_once("p/teacher.json", b"first")
    assert not store.create_once("p/teacher.json", b"second")
    assert store.read("p/teacher.json") == b"first"


def test_one_of_many_creators_wins(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(lambda number: store.create_once("once", str(number).encode()), range(32)))
    assert sum(won) == 1
    assert store.read("once") == str(won.index(True)).encode()


def test_files_lists_below_a_folder_without_temporary_ones(store: Store) -> None:
    store.write("f/aa/one", b"")
    store.write("f/two", b"")
    store.write("f/.hidden", b"")
    store.write("g/three", b"")
    assert store.files("f") == {"aa/one", "two"}
    assert store.files("absent") == set()


def test_nothing_but_the_file_remains_after_a_write(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write("f/one", b"1")
    store.create_once("f/two", b"2")
    store.create_once("f/two", b"3")
    assert sorted(path.name for path in (tmp_path / "f").iterdir()) == ["one", "two"]


def test_failed_write_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(str(tmp_path))
    store.write("f", b"old")

    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(StorageError, match="cannot be written: disk full"):
        store.write("f", b"new")
    assert store.read("f") == b"old"
    assert store.files("") == {"f"}


def test_delete_removes_files_and_folders(store: Store) -> None:
    store.write("f/a/one", b"")
    store.write("f/two", b"")
    store.delete("f/two")
    store.delete("f")
    store.delete("f")
    assert store.files("f") == set()


def test_folder_goes_up_and_down(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "one").write_bytes(b"1")
    (source / "deep" / "two").write_bytes(b"2")
    store.upload(source, "copy")
    target = store.download("copy", tmp_path / "target")
    assert (target / "deep" / "two").read_bytes() == b"2"
    assert (target / "one").read_bytes() == b"1"


def test_a_new_folder_appears_with_all_its_files(store: Store) -> None:
    store.write_folder("clips/a", {"images/0.png": b"0", "clip.json": b"1"})
    assert store.files("clips") == {"a/images/0.png", "a/clip.json"}
    assert store.read("clips/a/images/0.png") == b"0"


def test_a_local_folder_is_complete_or_absent_and_the_first_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(tmp_path))
    store.write_folder("clips/a", {"x": b"first"})
    store.write_folder("clips/a", {"x": b"second"})
    assert store.read("clips/a/x") == b"first"

    def full(number: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="no space left"):
        store.write_folder("clips/b", {"x": b"1"})
    assert [path.name for path in (tmp_path / "clips").iterdir()] == ["a"]


def test_download_of_nothing_is_an_error(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no files"):
        store.download("absent", tmp_path)


def test_store_travels_to_other_processes(store: Store) -> None:
    store.write("x", b"1")
    assert pickle.loads(pickle.dumps(store)) == store


def test_local_root_and_addresses(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    assert store.local_root == tmp_path
    assert store.uri("a/b") == str(tmp_path / "a/b")
    assert Store("memory://x").local_root is None
    assert Store("memory://x").uri("a/b") == "memory://x/a/b"


def test_relative_root_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Store("runs/one").uri("x") == str(tmp_path / "runs/one/x")


def test_unwritable_root_is_told_before_work_begins(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match="is not writable"):
        Store(str(tmp_path / "file")).check_writable()


def test_writable_root_keeps_no_trace_of_the_check(store: Store) -> None:
    store.check_writable()
    assert store.files("") == set()


def test_unknown_protocol_is_a_storage_error() -> None:
    with pytest.raises(StorageError, match="cannot be opened"):
        Store("nosuch://place").exists("x")
