from __future__ import annotations

import uuid

import fsspec
import pytest

from eisen_ray.data.files import list_folder, natural_key, open_file, read_many, resolve
from eisen_ray.errors import DataError
from tests.video_files import write


def test_natural_order_counts() -> None:
    names = ["im_10.jpg", "im_2.jpg", "im_1.jpg", "a", "im_02.jpg"]
    assert sorted(names, key=natural_key) == ["a", "im_1.jpg", "im_02.jpg", "im_2.jpg", "im_10.jpg"]


def test_odd_names_are_found_and_read(tmp_path) -> None:
    names = ["a b/[1]#%20é*.txt", "a b/x.txt", "ä.txt"]
    source = write(tmp_path, {name: name.encode() for name in names})
    listing = list_folder(source)
    assert sorted(file.path for file in listing.files) == sorted(names)
    assert read_many([file.uri for file in listing.files]) == [file.path.encode() for file in listing.files]
    with open_file(listing.files[0].uri) as file:
        assert file.read() == listing.files[0].path.encode()


def test_hidden_files_are_left_out(tmp_path) -> None:
    source = write(tmp_path, {"a.mp4": b"1", "._a.mp4": b"2", ".cache/b.mp4": b"3", "__MACOSX/c.mp4": b"4"})
    listing = list_folder(source)
    assert [file.path for file in listing.files] == ["a.mp4"]
    assert listing.folders == []


def test_linked_folders_are_followed_and_loops_are_not(tmp_path) -> None:
    write(tmp_path / "elsewhere", {"a.txt": b"1"})
    source = tmp_path / "source"
    source.mkdir()
    (source / "link").symlink_to(tmp_path / "elsewhere")
    (source / "loop").symlink_to(source)
    (source / "dead.txt").symlink_to(tmp_path / "nowhere.txt")
    listing = list_folder(str(source))
    assert [(file.path, file.num_bytes) for file in listing.files] == [("dead.txt", 0), ("link/a.txt", 1)]


@pytest.mark.parametrize("form", ["plain", "file", "memory"])
def test_places_give_the_same_listing(tmp_path, form) -> None:
    files = {"x/a.txt": b"12", "b.txt": b"", "x/y/c.txt": b"3"}
    source = write(tmp_path, files)
    if form == "file":
        source = f"file://{source}"
    if form == "memory":
        source = f"memory://{uuid.uuid4().hex}/data"
        fsspec.filesystem("memory").pipe({f"{source}/{name}": content for name, content in files.items()})
    for ending in ("", "/"):
        listing = list_folder(source + ending)
        assert [(file.path, file.num_bytes) for file in listing.files] == [
            ("b.txt", 0),
            ("x/a.txt", 2),
            ("x/y/c.txt", 1),
        ]
        assert listing.folders == ["x", "x/y"]
        assert read_many([file.uri for file in listing.files]) == [b"", b"12", b"3"]


def test_barren_folders_are_the_highest_ones(tmp_path) -> None:
    source = write(tmp_path, {"a/1.mp4": b"", "a/notes/x.txt": b"", "b/c/d.txt": b"", "b/e.txt": b""})
    (tmp_path / "empty").mkdir()
    listing = list_folder(source)
    assert listing.barren_folders([file for file in listing.files if file.suffix == ".mp4"]) == [
        "a/notes",
        "b",
        "empty",
    ]


def test_a_single_file_is_a_source(tmp_path) -> None:
    write(tmp_path, {"a.mp4": b"12"})
    assert [(file.path, file.num_bytes) for file in list_folder(str(tmp_path / "a.mp4")).files] == [("a.mp4", 2)]


def test_relative_and_absolute_sources_give_the_same_addresses(tmp_path, monkeypatch) -> None:
    source = write(tmp_path, {"d/a.mp4": b"12"})
    monkeypatch.chdir(tmp_path)
    assert list_folder("d").files == list_folder(f"{source}/d").files


def test_messages(tmp_path) -> None:
    with pytest.raises(DataError, match="empty; expected a folder or URL"):
        list_folder("")
    with pytest.raises(DataError, match=r"nowhere: no such folder.*data\.source"):
        list_folder(str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"nosuch://x: cannot be opened.*install"):
        resolve("nosuch://x")
    with pytest.raises(DataError, match=r"gone\.png: cannot be read \(FileNotFoundError\)"):
        read_many([str(tmp_path / "gone.png")])
    with pytest.raises(DataError, match=r"gone\.mp4: cannot be read \(FileNotFoundError\)"):
        open_file(str(tmp_path / "gone.mp4"))


def test_failures_of_the_storage_pass_through(tmp_path, monkeypatch) -> None:
    def fail(*args, **kwargs):
        return [ConnectionResetError("storage is away")]

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.cat_ranges", fail)
    with pytest.raises(ConnectionResetError):
        read_many([str(tmp_path / "a.png")])
