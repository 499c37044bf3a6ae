"""Pictures, geom ids and depth of a model from its camera."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np

from eisen_ray.errors import ConfigError
from eisen_ray.worlds.engine import Renderer, load_mujoco
from eisen_ray.worlds.filament import FilamentPictures

SUPERSAMPLING = 2
"""Pictures are drawn at twice the size and averaged: soft edges. Ids and depth are of pixel centres [Decision 84]."""
MAX_GEOMS = 2000


class Studio:
    """Draws one model at one size; a context manager, for it holds an OpenGL context.

    Args:
        model: MuJoCo model whose offscreen buffer is at least `size * SUPERSAMPLING` wide.
        size: pixels of a side.
        renderer: of the pictures; ids and depth are always classic.
        camera: name of the camera.

    Raises:
        ConfigError: OpenGL does not work here.
    """

    def __init__(self, model: Any, size: int, renderer: Renderer = "classic", camera: str = "camera") -> None:
        mujoco = self._mujoco = load_mujoco()
        self._model, self._size, self._name = model, size, camera
        self._use_filament = renderer == "filament"
        self._filament: FilamentPictures | None = None
        self._gl, self._context = _open(model, size * SUPERSAMPLING)
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._scene, self._option = mujoco.MjvScene(model, MAX_GEOMS), mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._camera.fixedcamid = model.camera(camera).id

    def __enter__(self) -> Studio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._filament = None
        self._gl.make_current()
        self._context.free()
        self._gl.free()

    def picture(self, data: Any) -> np.ndarray:
        """uint8 [size, size, 3]."""
        large = self._size * SUPERSAMPLING
        if self._use_filament:
            if self._filament is None:
                self._filament = FilamentPictures(self._model, large, self._name)
            drawn = self._filament.draw(data)
        else:
            drawn = np.empty((large, large, 3), np.uint8)
            self._draw(data, drawn, None)
        blocks = drawn.reshape(self._size, SUPERSAMPLING, self._size, SUPERSAMPLING, 3)
        return (blocks.mean((1, 3)) + 0.5).astype(np.uint8)

    def geoms_and_depth(self, data: Any) -> tuple[np.ndarray, np.ndarray]:
        """Geom ids int32 [size, size], -1 where nothing is drawn, and depth float32 [size, size] in m."""
        flags = self._mujoco.mjtRndFlag
        colours = np.empty((self._size, self._size, 3), np.uint8)
        buffer = np.empty((self._size, self._size), np.float32)
        for flag in (flags.mjRND_SEGMENT, flags.mjRND_IDCOLOR):
            self._scene.flags[flag] = 1
        self._draw(data, colours, buffer)
        for flag in (flags.mjRND_SEGMENT, flags.mjRND_IDCOLOR):
            self._scene.flags[flag] = 0
        return self._decode_ids(colours), self._metres(buffer)

    def _draw(self, data: Any, colours: np.ndarray, depth: np.ndarray | None) -> None:
        mujoco = self._mujoco
        self._gl.make_current()
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(self._model, data, self._option, None, self._camera, everything, self._scene)
        rectangle = mujoco.MjrRect(0, 0, colours.shape[1], colours.shape[0])
        mujoco.mjr_render(rectangle, self._scene, self._context)
        mujoco.mjr_readPixels(colours, depth, rectangle, self._context)
        # OpenGL's first row is the lowest.
        colours[:] = colours[::-1].copy()
        if depth is not None:
            depth[:] = depth[::-1].copy()

    def _decode_ids(self, colours: np.ndarray) -> np.ndarray:
        """A geom of the scene has the colour of its number plus 1, red first; scene numbers are not model ids."""
        codes = colours.astype(np.int64) @ np.array([1, 256, 65536])
        ids = np.full(self._scene.ngeom + 1, -1, np.int32)
        for geom in self._scene.geoms[: self._scene.ngeom]:
            if geom.segid >= 0 and geom.objtype == self._mujoco.mjtObj.mjOBJ_GEOM:
                ids[geom.segid + 1] = geom.objid
        return ids[codes]

    def _metres(self, buffer: np.ndarray) -> np.ndarray:
        """From the buffer (1 at the near plane, 0 at the far one, hyperbolic) to distance along the axis."""
        extent, bounds = self._model.stat.extent, self._model.vis.map
        near, far = bounds.znear * extent, bounds.zfar * extent
        return (near * far / (near + buffer.astype(np.float64) * (far - near))).astype(np.float32)


def _open(model: Any, size: int) -> tuple[Any, Any]:
    """An OpenGL context and MuJoCo's own on top of it, with the model's meshes and textures."""
    mujoco = load_mujoco()
    context = mujoco.GLContext(size, size)
    context.make_current()
    try:
        return context, mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
    except mujoco.FatalError as error:
        context.free()
        raise ConfigError(
            f"OpenGL does not work without a display here ({error}). On Debian install libegl1 and libgl1-mesa-dri; "
            "set MUJOCO_GL=egl if something else imported mujoco first."
        ) from error
