"""From the name of an object family to the function that draws one of its members."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from eisen_ray.worlds.shapes import furniture, groceries, solids, toys, vessels
from eisen_ray.worlds.shapes.parts import Shape

MAKERS: dict[str, Callable[[np.random.Generator], Shape]] = {
    "animal": toys.make_animal,
    "ball": solids.make_ball,
    "banana": groceries.make_banana,
    "bird": toys.make_bird,
    "blocks": toys.make_blocks,
    "bottle": vessels.make_bottle,
    "bowl": vessels.make_bowl,
    "box": solids.make_box,
    "can": vessels.make_can,
    "car": toys.make_car,
    "carrot": groceries.make_carrot,
    "chair": furniture.make_chair,
    "corn": groceries.make_corn,
    "doll": toys.make_doll,
    "dumbbell": toys.make_dumbbell,
    "fruit": groceries.make_fruit,
    "gear": solids.make_gear,
    "giraffe": toys.make_giraffe,
    "goblet": vessels.make_goblet,
    "lamp": furniture.make_lamp,
    "letter": solids.make_letter,
    "mug": vessels.make_mug,
    "mushroom": groceries.make_mushroom,
    "pan": vessels.make_pan,
    "plane": toys.make_plane,
    "plant": furniture.make_plant,
    "pot": vessels.make_pot,
    "pyramid": solids.make_pyramid,
    "ring": solids.make_ring,
    "rock": solids.make_rock,
    "shelf": furniture.make_shelf,
    "snail": toys.make_snail,
    "sponge": groceries.make_sponge,
    "spoon": groceries.make_spoon,
    "squash": groceries.make_squash,
    "star": solids.make_star,
    "stool": furniture.make_stool,
    "superquadric": solids.make_superquadric,
    "table": furniture.make_table,
    "teapot": vessels.make_teapot,
    "vase": vessels.make_vase,
    "whisk": groceries.make_whisk,
}
