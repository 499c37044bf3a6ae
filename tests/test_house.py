"""The rules of the house (CONTRIBUTING.md), kept by machine. The checkers are in house.py and tested below."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import house
from tests.shared import REPOSITORY

PACKAGE = REPOSITORY / "eisen_ray"
SOURCES = sorted(PACKAGE.rglob("*.py"))
DOORS = sorted((REPOSITORY / "jobs").glob("*.py"))
BENCHMARKS = sorted((REPOSITORY / "benchmarks").glob("*.py"))
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))
TORCH_ROOMS = ("model", "supervision", "learning", "baselines")
NO_CONFIG = {
    "eisen_ray.config",
    "eisen_ray.settings",
    "eisen_ray.presets",
    "eisen_ray.evaluate_config",
    "eisen_ray.compare_config",
    "eisen_ray.compare_presets",
}

WITHOUT_OWN_TEST = {
    "errors.py": "declarations only",
    "runtime/indexing.py": "runs in tests/runtime/test_pipeline.py",
    "runtime/passes.py": "runs in tests/runtime/test_pipeline.py",
    "runtime/feed.py": "runs in tests/runtime/test_training.py; its lightness in tests/runtime/test_actors.py",
    "runtime/trainer.py": "runs in tests/runtime/test_training.py",
    "runtime/worker.py": "runs in tests/runtime/test_training.py",
    "runtime/environment.py": "the doors need it: tests/jobs/test_bootstrap.py",
    "runtime/lines.py": "what it says is read in tests/runtime/test_rounds.py and tests/jobs/test_bootstrap.py",
    "runtime/pictures.py": "the sheet is looked for in tests/runtime/test_rounds.py",
    "runtime/reporter.py": "its events are read in tests/runtime/test_rounds.py",
    "worlds/shapes/furniture.py": "every family is drawn in tests/worlds/shapes/test_families.py",
    "worlds/shapes/groceries.py": "every family is drawn in tests/worlds/shapes/test_families.py",
    "worlds/shapes/solids.py": "every family is drawn in tests/worlds/shapes/test_families.py",
    "worlds/shapes/toys.py": "every family is drawn in tests/worlds/shapes/test_families.py",
    "worlds/shapes/vessels.py": "every family is drawn in tests/worlds/shapes/test_families.py",
    "worlds/looks/organic.py": "every pattern is drawn in tests/worlds/looks/test_textures.py",
    "worlds/looks/printed.py": "every pattern is drawn in tests/worlds/looks/test_textures.py",
    "worlds/looks/regular.py": "every pattern is drawn in tests/worlds/looks/test_textures.py",
}
"""Files whose test lies elsewhere, and why."""

Checker = Callable[[str], list[str]]


def complaints(paths: list[Path], check: Checker) -> list[str]:
    return [f"{path.relative_to(REPOSITORY)}: {each}" for path in paths for each in check(path.read_text())]


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


@pytest.mark.parametrize(
    ("paths", "check"),
    [
        (SOURCES + DOORS + BENCHMARKS + TESTS, house.long_file),
        (SOURCES + DOORS + BENCHMARKS + TESTS, house.long_functions),
        (SOURCES + DOORS + BENCHMARKS, house.many_parameters),
        (SOURCES + DOORS + BENCHMARKS, house.unannotated_returns),
        (SOURCES + DOORS, house.missing_docstrings),
        (SOURCES + DOORS, house.asserts),
        (DOORS, lambda source: house.long_file(source, house.MAX_DOOR_LINES)),
        ([path for path in SOURCES if room(path) in TORCH_ROOMS], house.global_randomness),
    ],
    ids=["long file", "long function", "parameters", "returns", "docstrings", "assert", "thin door", "randomness"],
)
def test_limits(paths: list[Path], check: Checker) -> None:
    assert complaints(paths, check) == []


def test_no_file_is_named_for_nothing() -> None:
    every = SOURCES + DOORS + BENCHMARKS + TESTS
    assert [path for path in every if {path.stem, path.parent.name} & house.BANNED_NAMES] == []


def test_ray_is_imported_in_runtime_only() -> None:
    outside = [path for path in SOURCES if room(path) != "runtime"]
    assert complaints(outside, lambda source: house.forbidden_imports(source, {"ray"})) == []


def test_torch_rooms_data_measures_worlds_and_report_know_no_config() -> None:
    inside = [path for path in SOURCES if room(path) in (*TORCH_ROOMS, "data", "measures", "worlds", "report")]
    assert complaints(inside, lambda source: house.forbidden_imports(source, NO_CONFIG)) == []


def test_nothing_imports_the_doors_or_the_tests() -> None:
    assert complaints(SOURCES, lambda source: house.forbidden_imports(source, {"jobs", "tests", "benchmarks"})) == []


def test_data_measures_and_worlds_know_no_torch() -> None:
    inside = [path for path in SOURCES if room(path) in ("data", "measures", "worlds")]
    assert complaints(inside, lambda source: house.forbidden_imports(source, {"torch", "torchvision"})) == []


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if p.name != "__init__.py"], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_tests_mirror_the_package(path: Path) -> None:
    relative = path.relative_to(PACKAGE)
    if str(relative) in WITHOUT_OWN_TEST:
        pytest.skip(WITHOUT_OWN_TEST[str(relative)])
    expected = Path("tests") / relative.parent / f"test_{relative.name}"
    assert (REPOSITORY / expected).exists(), f"{relative} has no {expected}"


@pytest.mark.parametrize("path", [p for p in DOORS if p.name != "__init__.py"], ids=lambda p: p.stem)
def test_every_door_has_a_test(path: Path) -> None:
    assert (REPOSITORY / "tests" / "jobs" / f"test_{path.name}").exists()


def test_exemptions_are_still_needed() -> None:
    assert [name for name in WITHOUT_OWN_TEST if not (PACKAGE / name).exists()] == []


def test_settings_and_presets_load_neither_torch_nor_ray() -> None:
    code = (
        "import sys, eisen_ray.config, eisen_ray.presets, eisen_ray.command_line, eisen_ray.compare_presets\n"
        "heavy = {'torch', 'ray', 'numpy', 'pyarrow', 'cv2', 'av'} & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_traces_of_a_workplace() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    found = []
    for name in listed.stdout.splitlines():
        path = REPOSITORY / name
        if path == Path(__file__) or not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" not in content:
            found += [f"{name}: {each}" for each in house.workplace_traces(content.decode(errors="replace"))]
    assert found == []


# The checkers themselves: each must complain about a small source that breaks its rule, and about no other.

GOOD = '"""Doc."""\n\n\ndef public(a: int, *, b: int = 2) -> int:\n    """Doc."""\n    return a + b\n'
SEVEN = "def f(self, a, b, c, d, e, f, *, g): ..."
EIGHT = "def f(a, b, c, d, /, e, f, *, g, h): ..."


@pytest.mark.parametrize(
    ("check", "bad", "good"),
    [
        (house.long_file, "x = 1\n" * 301, "x = 1\n" * 300),
        (house.long_functions, "def f():\n" + "    x = 1\n" * 60, "def f():\n" + "    x = 1\n" * 59),
        (house.long_functions, "class A:\n    async def f():\n" + "        x = 1\n" * 60, GOOD),
        (house.many_parameters, EIGHT, SEVEN),
        (house.many_parameters, EIGHT, EIGHT.replace("def f", "def __init__")),
        (house.unannotated_returns, "def f(): ...", GOOD),
        (house.unannotated_returns, "def f() -> None:\n    def g(): ...", "x = lambda: 1"),
        (house.missing_docstrings, "x = 1", '"""Doc."""'),
        (house.missing_docstrings, '"""Doc."""\ndef f(): ...', '"""Doc."""\ndef _f(): ...'),
        (house.missing_docstrings, '"""Doc."""\nclass A: ...', '"""Doc."""\nclass _A: ...'),
        (house.missing_docstrings, '"""D."""\nclass A:\n    """D."""\n    def f(self): ...', GOOD),
        (house.asserts, "if 1:\n    assert x, 'text'", "x = 'assert'"),
        (house.global_randomness, "torch.rand(3)", "torch.rand(3, generator=g)"),
        (house.global_randomness, "x.normal_()", "x.normal_(generator=g)"),
        (house.global_randomness, "w.multinomial(3)", "torch.multinomial(w, 3, generator=g)"),
        (house.global_randomness, "torch.manual_seed(0)", "g.manual_seed(0)"),
        (
            house.workplace_traces,
            "open('" + "/".join(("", "work", "main", "x")) + "')",
            "the work/life balance, https://a.org/work/x",
        ),
        (house.workplace_traces, "cd /ro" + "ot/thing", "the /root of it"),
        (house.workplace_traces, "/tmp/ve" + "nv/bin/python", "/tmp/eisen"),
        (house.workplace_traces, "https://files.python" + "hosted.org/x", "https://example.org"),
    ],
)
def test_checkers_see_what_is_broken(check: Checker, bad: str, good: str) -> None:
    assert check(bad) != []
    assert check(good) == []


@pytest.mark.parametrize(
    "source",
    [
        "import ray",
        "import ray.data as rd",
        "from ray import train",
        "def f():\n    from ray.train import report",
        "from eisen_ray import runtime",
    ],
)
def test_imports_are_seen_wherever_they_stand(source: str) -> None:
    assert house.forbidden_imports(source, {"ray", "eisen_ray.runtime"}) != []


def test_imports_with_a_like_name_are_allowed() -> None:
    assert house.forbidden_imports("import rayon\nfrom eisen_ray import runtimes", {"ray", "eisen_ray.runtime"}) == []
