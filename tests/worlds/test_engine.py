from __future__ import annotations

import builtins
import sys
from pathlib import Path

import pytest

from eisen_ray.errors import ConfigError
from eisen_ray.worlds import engine


def test_without_mujoco_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(ConfigError, match=r"MuJoCo is not installed.*extra `sim`"):
        engine.load_mujoco()


def test_without_a_display_library_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def refuse(name: str, *rest: object) -> object:
        if name == "mujoco":
            raise ImportError("Cannot initialize a EGL device display")
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigError, match=r"Cannot initialize a EGL.*libegl1"):
        engine.load_mujoco()


@pytest.mark.parametrize(
    ("present", "expected"), [({"libEGL.so.1", "libOSMesa.so.8"}, "egl"), ({"libOSMesa.so.8"}, "osmesa"), (set(), None)]
)
def test_an_offscreen_library_is_chosen(monkeypatch: pytest.MonkeyPatch, present: set, expected: str | None) -> None:
    monkeypatch.setenv("MUJOCO_GL", "to be restored")
    monkeypatch.delenv("MUJOCO_GL")
    monkeypatch.setenv("PYOPENGL_PLATFORM", "egl")
    monkeypatch.setattr(engine, "_has_library", lambda name: name in present)
    monkeypatch.setattr(engine.platform, "system", lambda: "Linux")
    engine._choose_gl()
    assert engine.os.environ.get("MUJOCO_GL") == expected
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    engine._choose_gl()
    assert engine.os.environ["MUJOCO_GL"] == "glfw", "what the user chose stays"


def test_renderers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "has_software_vulkan", lambda: False)
    assert engine.choose_renderer("auto")[0] == "classic"
    assert "no software Vulkan" in engine.choose_renderer("auto")[1]
    with pytest.raises(ConfigError, match="mesa-vulkan-drivers"):
        engine.choose_renderer("filament")
    monkeypatch.setattr(engine, "has_software_vulkan", lambda: True)
    assert engine.choose_renderer("auto")[0] == engine.choose_renderer("filament")[0] == "filament"
    assert engine.choose_renderer("classic")[0] == "classic"


def test_vulkan_needs_a_driver_for_the_processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VK_DRIVER_FILES", raising=False)
    monkeypatch.delenv("VK_ICD_FILENAMES", raising=False)
    monkeypatch.setattr(engine, "_ICD_FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(engine, "_has_library", lambda name: True)
    assert not engine.has_software_vulkan()
    (tmp_path / "nvidia_icd.json").write_text("{}")
    assert not engine.has_software_vulkan()
    driver = tmp_path / "lvp_icd.x86_64.json"
    driver.write_text("{}")
    assert engine.has_software_vulkan()
    monkeypatch.setenv("VK_ICD_FILENAMES", str(tmp_path / "nvidia_icd.json"))
    assert not engine.has_software_vulkan()
    monkeypatch.setenv("VK_ICD_FILENAMES", str(driver))
    assert engine.has_software_vulkan()
    monkeypatch.setattr(engine, "_has_library", lambda name: False)
    assert not engine.has_software_vulkan()
