"""Assembly of a MuJoCo model: materials, meshes, fixed things, free objects, light, camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eisen_ray.worlds.engine import load_mujoco
from eisen_ray.worlds.geometry import Camera, quaternion, yaw_quaternion
from eisen_ray.worlds.looks.colours import palette
from eisen_ray.worlds.looks.textures import OBJECT_PATTERNS, texture, weighted_choice
from eisen_ray.worlds.meshes import vertex_normals
from eisen_ray.worlds.physics import SceneError
from eisen_ray.worlds.shapes.parts import Part, Shape
from eisen_ray.worlds.shapes.primitives import box

DRAWN_GROUP, COLLISION_GROUP = 0, 3
"""Geom groups: 3 is never drawn."""
OBJECT_TEXTURE_PX = 128
SHADOW_MAP_PX = 2048


@dataclass(frozen=True)
class Box:
    """A fixed textured box."""

    size: tuple[float, float, float]
    """Full size, m."""
    place: tuple[float, float, float]
    """Its centre, m."""
    repeat: float | None = None
    """Metres that the texture spans; its longest side where None."""
    yaw: float = 0.0
    casts_shadow: bool = False


class Scene:
    """Collects what is in a scene, then compiles it.

    Args:
        rng: source of everything random.
        extent: size of the scene, m: sets the near and far planes.
        picture_px: largest side of a picture that will be drawn of it.
        friction_ratio: MuJoCo's `impratio`; above 1 things slip less.
    """

    def __init__(self, rng: np.random.Generator, extent: float, picture_px: int, friction_ratio: float = 3.0) -> None:
        mujoco = self._mujoco = load_mujoco()
        self.rng = rng
        spec = self.spec = mujoco.MjSpec()
        spec.option.timestep = 0.002
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
        spec.option.impratio = friction_ratio
        spec.stat.extent, spec.stat.center = extent, [0, 0, 0]
        spec.visual.map.znear, spec.visual.map.zfar = 0.01, 12.0
        spec.visual.quality.shadowsize, spec.visual.quality.offsamples = SHADOW_MAP_PX, 0
        spec.visual.global_.offwidth = spec.visual.global_.offheight = picture_px
        head = spec.visual.headlight
        head.ambient, head.diffuse, head.specular = [0.25] * 3, [0.15] * 3, [0.0] * 3
        spec.compiler.degree = False
        self._count = 0

    def compile(self) -> Any:
        """The MuJoCo model.

        Raises:
            SceneError: MuJoCo refuses a mesh, which happens to one drawn object in many thousands.
        """
        try:
            return self.spec.compile()
        except ValueError as error:
            raise SceneError(f"not compiled: {str(error).splitlines()[0][:100]}") from error

    def name(self, prefix: str) -> str:
        """A name that is new in this scene."""
        self._count += 1
        return f"{prefix}{self._count}"

    def painted(self, colour: Sequence[float] | np.ndarray, rough: float, emission: float = 0.0) -> str:
        """A material of one RGB colour; its name."""
        return self._material(rough, 0.0, rgba=[*(float(part) for part in colour), 1.0], emission=emission)

    def textured(self, image: np.ndarray, rough: float | None = None, metallic: float = 0.0) -> str:
        """A material with a texture uint8 [n, n, 3]; its name."""
        rough = float(self.rng.uniform(0.25, 0.95)) if rough is None else rough
        name = self.name("texture")
        kind = self._mujoco.mjtTexture.mjTEXTURE_2D
        height, width = image.shape[:2]
        # The data is assigned afterwards: as an argument it is refused.
        added = self.spec.add_texture(name=name, type=kind, width=width, height=height, nchannel=3)
        added.data = np.ascontiguousarray(image).tobytes()
        return self._material(rough, metallic, texture_name=name)

    def mesh(self, part: Part, hull_vertices: int = 32) -> str:
        """A mesh asset with its own normals and texture coordinates; its name."""
        name = self.name("mesh")
        faces = part.faces.astype(np.int32).ravel().tolist()
        self.spec.add_mesh(
            name=name,
            uservert=part.vertices.ravel().tolist(),
            userface=faces,
            usernormal=vertex_normals(part.vertices, part.faces).ravel().tolist(),
            userfacenormal=faces,
            usertexcoord=part.uvs.ravel().tolist(),
            userfacetexcoord=faces,
            maxhullvert=hull_vertices,
            inertia=self._mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX,
        )
        return name

    def add_box(self, fixed: Box, material: str) -> None:
        """A fixed box: background, without collision."""
        part = box(*fixed.size)
        if fixed.repeat is not None:
            part = Part(part.vertices, part.faces, part.uvs * max(fixed.size) / fixed.repeat)
        self._add_fixed(self.mesh(part, 8), material, fixed.place, fixed.yaw, fixed.casts_shadow)

    def add_fixed(self, part: Part, material: str, place: tuple[float, float, float]) -> None:
        """A fixed mesh: background, without collision."""
        self._add_fixed(self.mesh(part), material, place, 0.0, casts_shadow=True)

    def add_plane(self, place: Sequence[float], normal: Sequence[float], friction: float) -> None:
        """An endless plane that things collide with and nobody sees: steadier than mesh on mesh."""
        turn = np.zeros(4)
        self._mujoco.mju_quatZ2Vec(turn, np.asarray(normal, float))
        self.spec.worldbody.add_geom(
            type=self._mujoco.mjtGeom.mjGEOM_PLANE,
            size=[0, 0, 1],
            pos=[float(each) for each in place],
            quat=turn.tolist(),
            group=COLLISION_GROUP,
            friction=[friction, 0.005, 0.0005],
            condim=4,
        )

    def looks(self, shape: Shape, vivid: float | None = None) -> list[str]:
        """Materials for the slots of a shape, as it asks for them."""
        rng, materials = self.rng, []
        base = palette(rng, 3, vivid)
        for slot, look in enumerate(shape.looks):
            pattern = weighted_choice(rng, OBJECT_PATTERNS) if look == "any" else look
            is_akin = slot == 0 or rng.random() < 0.6
            colours = np.roll(base, slot, axis=0) if is_akin else palette(rng, 3, vivid)
            is_metal = rng.random() < 0.06
            image = texture(rng, pattern, OBJECT_TEXTURE_PX, colours)
            rough = float(rng.uniform(0.2, 0.45)) if is_metal else None
            materials.append(self.textured(image, rough, float(is_metal)))
        return materials

    def add_object(
        self, shape: Shape, materials: Sequence[str], place: Sequence[float], density: float, friction: float
    ) -> str:
        """A free body with a random heading; its name.

        Args:
            shape: its parts, in metres.
            materials: one for each slot.
            place: of its origin, m.
            density: kg/m3.
            friction: sliding coefficient.
        """
        turn = yaw_quaternion(self.rng.uniform(0, 2 * np.pi)).tolist()
        body = self.spec.worldbody.add_body(name=self.name("object"), pos=[float(each) for each in place], quat=turn)
        body.add_freejoint()
        is_ball = shape.family == "ball"
        for part in shape.parts:
            # A ball collides through a true sphere: through its mesh it would not roll.
            is_solid = part.solid and not is_ball
            body.add_geom(
                type=self._mujoco.mjtGeom.mjGEOM_MESH,
                meshname=self.mesh(part),
                material=materials[part.slot],
                group=DRAWN_GROUP,
                contype=int(is_solid),
                conaffinity=int(is_solid),
                density=density if is_solid else 0.0,
                friction=[friction, 0.005, 0.0005],
                condim=4,
            )
        if is_ball:
            low, high = shape.bounds()
            body.add_geom(
                type=self._mujoco.mjtGeom.mjGEOM_SPHERE,
                size=[float((high - low).max()) / 2, 0, 0],
                pos=((low + high) / 2).tolist(),
                group=COLLISION_GROUP,
                density=density,
                friction=[friction, 0.01, 0.003],
                condim=6,
            )
        return str(body.name)

    def add_camera(self, camera: Camera) -> None:
        """The camera of the scene, named "camera"."""
        turn = quaternion(camera.rotation).tolist()
        self.spec.worldbody.add_camera(name="camera", pos=camera.position.tolist(), quat=turn, fovy=camera.fovy)

    def _material(
        self,
        rough: float,
        metallic: float,
        *,
        rgba: list[float] | None = None,
        texture_name: str = "",
        emission: float = 0.0,
    ) -> str:
        name = self.name("material")
        gloss = 1 - rough
        added = self.spec.add_material(
            name=name,
            roughness=rough,
            metallic=metallic,
            specular=0.6 * gloss,
            shininess=0.9 * gloss,
            emission=emission,
        )
        if rgba is not None:
            added.rgba = rgba
        if texture_name:
            added.textures[self._mujoco.mjtTextureRole.mjTEXROLE_RGB] = texture_name
        return name

    def _add_fixed(self, mesh: str, material: str, place: Sequence[float], yaw: float, casts_shadow: bool) -> None:
        self.spec.worldbody.add_geom(
            type=self._mujoco.mjtGeom.mjGEOM_MESH,
            meshname=mesh,
            material=material,
            pos=[float(each) for each in place],
            quat=yaw_quaternion(yaw).tolist(),
            contype=0,
            conaffinity=0,
            group=DRAWN_GROUP,
            castshadow=casts_shadow,
        )
