from __future__ import annotations

from dataclasses import replace

import pytest

from eisen_ray.compare_config import (
    ROWS,
    CompareConfig,
    LearnConfig,
    VariantsConfig,
    learning_shape,
    needs_dino,
    needs_network,
    shaping,
    supervision_of,
    variants_of,
)
from eisen_ray.config import DataConfig, FlowConfig, GroupingConfig
from eisen_ray.errors import ConfigError
from eisen_ray.settings import from_dict, to_dict

CONFIG = CompareConfig()


def test_rows_say_what_they_need() -> None:
    assert [row for row in ROWS if needs_network(row)] == [row for row in ROWS if row.startswith("network")]
    assert [row for row in ROWS if needs_dino(row)] == [row for row in ROWS if row.startswith("dino")]
    assert {row.partition(":")[0] for row in ROWS if supervision_of(row) == "full"} == {
        row.partition(":")[0] for row in ROWS if supervision_of(row) == "motion"
    }


def test_variants() -> None:
    variants = VariantsConfig(felzenszwalb_scales=(50.0, 70.0), num_clusters=(3,))
    assert variants_of("felzenszwalb", variants) == [{"scale": 50.0}, {"scale": 70.0}]
    assert variants_of("network/spectral", variants) == variants_of("dino/spectral", variants) == [{"clusters": 3}]
    assert variants_of("network", variants) == variants_of("detr:full", variants) == [{}]
    assert [list(variants_of(f"network/{name}", variants)[0]) for name in ("competition", "affinity-propagation")] == [
        ["threshold"],
        ["preference"],
    ]


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        ({"seed": 1}, set(ROWS)),
        ({"max_images": 3}, set(ROWS)),
        ({"root": "elsewhere", "targets": "there", "rows": ("felzenszwalb",), "checkpoint": "c"}, set()),
        ({"flow": FlowConfig(num_updates=3)}, {row for row in ROWS if row.endswith(":motion")} | {"moving-region"}),
        ({"learn": LearnConfig(num_steps=3)}, {row for row in ROWS if ":" in row}),
        ({"learn": LearnConfig(log_every_steps=3, checkpoint_every_steps=7)}, set()),
        ({"grouping": GroupingConfig(threshold=0.1)}, {row for row in ROWS if "/" in row or row.startswith("eisen")}),
        ({"variants": VariantsConfig(felzenszwalb_sigma=2.0)}, {"felzenszwalb"}),
        ({"variants": VariantsConfig(felzenszwalb_scales=(1.0,))}, set()),
        ({"dino": "folder"}, {row for row in ROWS if row.startswith("dino")}),
        ({"data": DataConfig(max_clips=3)}, {row for row in ROWS if ":" in row}),
        ({"data": DataConfig(image_width=64)}, set(ROWS)),
    ],
)
def test_only_what_shapes_a_row_makes_it_again(change: dict[str, object], touched: set[str]) -> None:
    changed = replace(CONFIG, **change)
    assert {row for row in ROWS if shaping(row, changed) != shaping(row, CONFIG)} == touched


def test_weights_do_not_depend_on_what_is_scored() -> None:
    data = DataConfig(eval_source="elsewhere")
    changed = replace(CONFIG, data=data, max_images=2, test_source="there")
    assert learning_shape("detr:full", changed) == learning_shape("detr:full", CONFIG)
    assert learning_shape("detr:full", CONFIG) != learning_shape("ssap:full", CONFIG)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rows": ()}, "rows"),
        ({"rows": ("network", "network")}, "each row once"),
        ({"root": ""}, "root"),
        ({"max_images": -1}, "max_images"),
        ({"arm_id": -2}, "arm_id"),
    ],
)
def test_values_out_of_range(change: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        replace(CONFIG, **change)


def test_groups_out_of_range() -> None:
    for make in (
        lambda: LearnConfig(num_steps=0),
        lambda: LearnConfig(learning_rate=-1.0),
        lambda: LearnConfig(labelled_rows=-1),
        lambda: LearnConfig(static_rows=-1),
        lambda: LearnConfig(segment_balance=0.5),
        lambda: LearnConfig(labelled_rows=4, segment_balance=1.1),
        lambda: VariantsConfig(num_clusters=()),
        lambda: VariantsConfig(max_nodes=1),
    ):
        with pytest.raises(ConfigError):
            make()


def test_as_a_run_and_as_plain_values() -> None:
    config = replace(CONFIG, root="here", seed=3, targets="there")
    assert (config.run.root, config.run.seed, config.run.targets, config.run.flow) == ("here", 3, "there", config.flow)
    assert config.grid == (128, 128)
    assert from_dict(CompareConfig, to_dict(config)) == config
    with pytest.raises(ConfigError, match=r"rows|one of"):
        from_dict(CompareConfig, {"rows": ["nothing"]})


def test_weights_do_not_depend_on_how_they_are_read() -> None:
    changed = replace(CONFIG, grouping=GroupingConfig(threshold=0.1))
    for row in ("eisen:full", "eisen:motion"):
        assert learning_shape(row, changed) == learning_shape(row, CONFIG)
        wider = replace(CONFIG, model=replace(CONFIG.model, embedding_width=7))
        assert learning_shape(row, wider) != learning_shape(row, CONFIG)
