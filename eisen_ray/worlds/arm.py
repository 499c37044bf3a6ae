"""Adds the robot arm to a scene: bodies, joints, position servos."""

from __future__ import annotations

from typing import Any

import numpy as np

from eisen_ray.worlds import arm_links
from eisen_ray.worlds.arm_links import FINGER_REACH_M, LINKS, OPEN_M, SHUT_M, SIDES, TIP_REACH_M, Link
from eisen_ray.worlds.engine import load_mujoco
from eisen_ray.worlds.scene import DRAWN_GROUP, Scene

BASE = "arm_base"
GRIPPER = "arm_gripper"
TIP = "arm_tip"
HAND = ("arm_wrist", "arm_gripper", "arm_finger_left", "arm_finger_right")
DARK = np.array([0.27, 0.27, 0.28])
"""sRGB: darker than this looks black."""
_FRICTION = [1.0, 0.01, 0.001]


def add_arm(scene: Scene, meshes: str) -> None:
    """The arm at the origin, reaching along x.

    Args:
        scene: gets the arm.
        meshes: folder with the links' meshes; boxes where empty.

    Raises:
        DataError: a mesh is missing.
    """
    builder = _Builder(scene, meshes)
    body = scene.spec.worldbody.add_body(name=BASE)
    builder.cover(body, "base", arm_links.BASE_MESH)
    for link in LINKS:
        body = builder.add_link(body, link)
    if meshes:
        gripper = LINKS[-1]
        builder.add_mesh(body, arm_links.BAR_MESH, gripper.mesh_turn, gripper.mesh_offset)
    body.add_site(name=TIP, pos=[TIP_REACH_M, 0, 0], size=[0.004] * 3, group=4)
    for side, sign in SIDES:
        builder.add_finger(body, side, sign)
    builder.add_servos()
    names = [BASE, *(f"arm_{link.name}" for link in LINKS), *(f"arm_finger_{side}" for side, _ in SIDES)]
    for number, first in enumerate(names):
        for second in names[number + 1 :]:
            scene.spec.add_exclude(bodyname1=first, bodyname2=second)


class _Builder:
    def __init__(self, scene: Scene, meshes: str) -> None:
        self._mujoco = load_mujoco()
        self._scene, self._meshes = scene, meshes
        self._added: set[str] = set()
        rough = float(scene.rng.uniform(0.35, 0.6))
        dark = scene.painted(DARK, rough)
        self._materials = [dark, dark if meshes else scene.painted(DARK + 0.35, 0.4)]

    def add_link(self, parent: Any, link: Link) -> Any:
        body = parent.add_body(name=f"arm_{link.name}", pos=list(link.offset), gravcomp=1)
        body.add_joint(
            name=link.name,
            type=self._mujoco.mjtJoint.mjJNT_HINGE,
            axis=list(link.axis),
            range=[link.low, link.high],
            limited=True,
            armature=0.05,
            damping=[0.6, 0, 0],
            frictionloss=0.02,
        )
        self.cover(body, link.name, link.mesh, link.mesh_turn, link.mesh_offset)
        return body

    def add_finger(self, gripper: Any, side: str, sign: int) -> None:
        body = gripper.add_body(name=f"arm_finger_{side}", pos=[FINGER_REACH_M, 0, 0], gravcomp=1)
        low, high = SHUT_M - 0.004, OPEN_M + 0.002
        body.add_joint(
            name=f"finger_{side}",
            type=self._mujoco.mjtJoint.mjJNT_SLIDE,
            axis=[0, 1, 0],
            range=[low, high] if sign > 0 else [-high, -low],
            limited=True,
            armature=0.05,
            damping=[4, 0, 0],
        )
        if self._meshes:
            turn = (0.0, 0.0, 0.0, -1.0) if sign > 0 else (0.0, 0.0, 1.0, 0.0)
            self.add_mesh(body, arm_links.FINGER_MESH, turn, (0, 0.005 * sign, 0))
            return
        for part in arm_links.plain_parts("finger"):
            self._add_geom(body, self._scene.mesh(part if sign > 0 else part.mirrored_y()), part.slot, 900)

    def add_servos(self) -> None:
        spec, joint = self._scene.spec, self._mujoco.mjtTrn.mjTRN_JOINT
        for link in LINKS:
            servo = spec.add_actuator(
                name=link.name,
                trntype=joint,
                target=link.name,
                ctrlrange=[link.low, link.high],
                ctrllimited=True,
                forcerange=[-60, 60],
                forcelimited=True,
            )
            servo.set_to_position(kp=220, kv=22)
        for side, _ in SIDES:
            name = f"finger_{side}"
            servo = spec.add_actuator(name=name, trntype=joint, target=name, forcerange=[-14, 14], forcelimited=True)
            servo.set_to_position(kp=900, kv=40)

    def cover(
        self,
        body: Any,
        name: str,
        mesh: str,
        turn: arm_links.Quaternion = arm_links.TURNED_Z,
        offset: arm_links.Vector = (0, 0, 0),
    ) -> None:
        if self._meshes:
            self.add_mesh(body, mesh, turn, offset)
            return
        for part in arm_links.plain_parts(name):
            self._add_geom(body, self._scene.mesh(part), part.slot, 900)

    def add_mesh(self, body: Any, mesh: str, turn: arm_links.Quaternion, offset: arm_links.Vector) -> None:
        if mesh not in self._added:
            self._added.add(mesh)
            self._scene.spec.add_mesh(
                name=mesh,
                file=str(arm_links.mesh_file(self._meshes, mesh).resolve()),
                scale=[0.001] * 3,
                maxhullvert=48,
                inertia=self._mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX,
            )
        self._add_geom(body, mesh, 0, 600, pos=list(offset), quat=list(turn))

    def _add_geom(self, body: Any, mesh: str, slot: int, density: float, **pose: list[float]) -> None:
        body.add_geom(
            type=self._mujoco.mjtGeom.mjGEOM_MESH,
            meshname=mesh,
            material=self._materials[slot],
            group=DRAWN_GROUP,
            density=density,
            friction=_FRICTION,
            condim=4,
            **pose,
        )
