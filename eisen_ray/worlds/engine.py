"""MuJoCo, loaded when it is first needed, and the choice of renderer.

Pictures come from one of two renderers: `filament` (soft shadows, reflections; needs a Vulkan driver that runs on the
processor) or `classic` OpenGL. Masks, depth and flow always come from the classic one.
"""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path
from typing import Any, Literal

from eisen_ray.errors import ConfigError

Renderer = Literal["classic", "filament"]

_ICD_FOLDERS = ("/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d")
_ICD_VARIABLES = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
_GL_LIBRARIES = {"egl": "libEGL.so.1", "osmesa": "libOSMesa.so.8"}


def load_mujoco() -> Any:
    """The module `mujoco`, told to draw without a display.

    Raises:
        ConfigError: it is not installed, or there is no OpenGL library that draws without a display.
    """
    _choose_gl()
    try:
        import mujoco
    except ModuleNotFoundError as error:
        raise ConfigError(
            "MuJoCo is not installed; the simulated worlds need the extra `sim`. Run: pip install 'eisen-ray[sim]' "
            "(Python 3.11 or newer)."
        ) from error
    except (ImportError, AttributeError, RuntimeError) as error:
        raise ConfigError(
            f"MuJoCo cannot draw with MUJOCO_GL={os.environ.get('MUJOCO_GL', '')!r}: {error}. On Debian install "
            "libegl1 and libgl1-mesa-dri, or libosmesa6."
        ) from error
    return mujoco


def choose_renderer(wanted: Literal["auto", "classic", "filament"]) -> tuple[Renderer, str]:
    """The renderer of the pictures and a line that says which and why.

    Raises:
        ConfigError: `filament` is wanted and there is no Vulkan driver for it.
    """
    if wanted == "classic":
        return "classic", "renderer  classic OpenGL"
    if has_software_vulkan():
        return "filament", "renderer  Filament over Vulkan, on the processor"
    if wanted == "filament":
        raise ConfigError(
            "renderer is 'filament', but no Vulkan driver for the processor is here. On Debian install libvulkan1 and "
            "mesa-vulkan-drivers, or use --renderer classic."
        )
    return "classic", "renderer  classic OpenGL: no software Vulkan here (libvulkan1, mesa-vulkan-drivers)"


def has_software_vulkan() -> bool:
    """Whether the Vulkan loader and Mesa's driver for the processor (lavapipe) are installed."""
    named = next((os.environ[name] for name in _ICD_VARIABLES if os.environ.get(name)), "")
    if named:
        drivers = [Path(each) for each in named.split(os.pathsep)]
    else:
        drivers = [path for folder in _ICD_FOLDERS for path in Path(folder).glob("*.json")]
    has_driver = any(path.name.startswith("lvp") and path.is_file() for path in drivers)
    return has_driver and _has_library("libvulkan.so.1")


def _choose_gl() -> None:
    # Read by MuJoCo when it is first imported. llvmpipe would otherwise start a thread per core in every process.
    os.environ.setdefault("LP_NUM_THREADS", "1")
    if os.environ.get("MUJOCO_GL") or platform.system() != "Linux":
        return
    found = [name for name, library in _GL_LIBRARIES.items() if _has_library(library)]
    if found:
        os.environ["MUJOCO_GL"] = found[0]
        if found[0] == "osmesa":
            os.environ.setdefault("PYOPENGL_PLATFORM", "osmesa")


def _has_library(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
