"""Pictures from MuJoCo's physically based renderer (Filament), over Vulkan on the processor."""

from __future__ import annotations

import collections.abc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from eisen_ray.worlds.engine import load_mujoco


class FilamentPictures:
    """Draws one model at one size.

    Every instance opens a context of its own: the renderer's dither noise comes from a generator that lives in the
    context, so that pictures of a clip depend on its seed alone. A context costs 0.1 s and is not freed wholly: a
    process should end after some hundred of them.

    Args:
        model: MuJoCo model.
        size: pixels of a side.
        camera: name of the camera.
    """

    def __init__(self, model: Any, size: int, camera: str) -> None:
        mujoco = load_mujoco()
        context = _context()
        from mujoco.rendering.filament import model_scene, renderer

        self._renderer = renderer.Renderer(context)
        self._scene = model_scene.ModelScene(context, model, self._renderer.scene("scene"))
        self._pixels = np.empty((size, size, 3), np.uint8)
        self._renderer.target("picture", self._pixels)
        self._view = renderer.View
        self._model = model
        self._camera = mujoco.MjvCamera()
        self._camera.type = int(mujoco.mjtCamera.mjCAMERA_FIXED)
        self._camera.fixedcamid = model.camera(camera).id

    def draw(self, data: Any) -> np.ndarray:
        """The picture of a state, uint8 [size, size, 3]; overwritten by the next."""
        mujoco = load_mujoco()
        self._scene.update(data)
        camera = mujoco.mjv_camera2GLCamera(self._model, data, self._camera)
        self._renderer.render([self._view(scene="scene", target="picture", camera=camera)])
        return self._pixels


def _context() -> Any:
    if not hasattr(collections.abc, "Buffer"):  # its wrapper takes this from Python 3.12
        collections.abc.Buffer = np.ndarray  # type: ignore[attr-defined]
    import mujoco.studio.window  # registers the shaders
    from mujoco import mjrf

    del mujoco
    config = mjrf.ContextConfig()
    config.software_rendering = True
    config.graphics_api = mjrf.GraphicsApi.GRAPHICS_API_VULKAN
    with _quiet_streams():
        return mjrf.Context(config)


@contextmanager
def _quiet_streams() -> Iterator[None]:
    """The engine announces itself on the C streams: they lead nowhere meanwhile."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for stream in (*kept, nowhere):
            os.close(stream)
