from __future__ import annotations

import pytest

from eisen_ray.errors import ConfigError
from eisen_ray.presets import quickstart
from eisen_ray.spaces import (
    ITERATIONS,
    SPACES,
    Choice,
    Range,
    Space,
    check_space,
    iterations_of,
    parameter_names,
    settings_of,
    with_values,
)

BASE = quickstart()


@pytest.mark.parametrize("name", SPACES)
def test_every_named_space_can_be_run(name: str) -> None:
    check_space(SPACES[name](), BASE)


def test_settings_are_all_combinations_without_the_free_iterations() -> None:
    space = Space(
        kind="grouping",
        parameters={
            ITERATIONS: Choice((40, 10)),
            "grouping.threshold": Choice((0.3, 0.5)),
            "grouping.overlap": Choice((0.1, 0.2)),
        },
    )
    found = settings_of(space)
    assert [tuple(setting.values()) for setting in found] == [(0.3, 0.1), (0.3, 0.2), (0.5, 0.1), (0.5, 0.2)]
    assert iterations_of(space, BASE) == (10, 40)
    assert iterations_of(Space(kind="grouping"), BASE) == (BASE.grouping.num_iterations,)
    assert iterations_of(Space(kind="grouping", parameters={ITERATIONS: Range(3, 5)}), BASE) == (3, 4, 5)


def test_iterations_are_no_part_of_what_training_leaves_free() -> None:
    space = Space(kind="training", parameters={ITERATIONS: Choice((10, 40))})
    assert settings_of(space) == [{ITERATIONS: 10}, {ITERATIONS: 40}]


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (Space(kind="grouping"), "no parameters"),
        (Space(kind="grouping", parameters={"grouping.treshold": Choice((0.5,))}), r"Did you mean grouping\.threshold"),
        (Space(kind="grouping", parameters={"threshold": Choice((0.5,))}), r"Did you mean grouping\.threshold"),
        (Space(kind="training", parameters={"learning_rate": Choice((1e-3,))}), r"Did you mean train\.learning_rate"),
        (Space(kind="grouping", parameters={"train.learning_rate": Choice((1e-3,))}), "changes the weights"),
        (Space(kind="training", parameters={"resources.train_workers": Choice((1,))}), "Unknown parameter"),
        (Space(kind="grouping", parameters={"grouping.threshold": Choice(())}), "no values"),
        (Space(kind="grouping", parameters={"grouping.threshold": Choice((0.5, 0.5))}), "twice"),
        (Space(kind="grouping", parameters={"grouping.threshold": Choice((0.5, 1.5))}), r"threshold is 1\.5"),
        (Space(kind="grouping", parameters={"grouping.threshold": Range(0.2, 0.5)}), "no number of trials"),
        (Space(kind="grouping", parameters={"grouping.threshold": Range(0.5, 0.2)}, trials=3), "lower end first"),
        (
            Space(kind="training", parameters={"train.learning_rate": Range(0.0, 0.2, log=True)}, trials=3),
            "above 0 if logarithmic",
        ),
        (
            # Each alone is fine; together the smallest area is above the largest.
            Space(
                kind="training",
                parameters={"motion.min_area": Choice((0.01, 0.3)), "motion.max_area": Choice((0.2, 0.5))},
            ),
            "below max_area",
        ),
        (
            Space(kind="grouping", parameters={"grouping.overlap": Choice((0.1,))}, rows=({"model.scope": "full"},)),
            "KProp iterations only",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_before_any_trial(space: Space, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_space(space, BASE)


def test_values_are_set_by_dotted_name_and_checked() -> None:
    changed = with_values(BASE, {"grouping.threshold": 0.4, "train.num_steps": 7})
    assert (changed.grouping.threshold, changed.train.num_steps) == (0.4, 7)
    assert changed.grouping.overlap == BASE.grouping.overlap
    with pytest.raises(ConfigError, match="num_steps"):
        with_values(BASE, {"train.num_steps": 0})


def test_grouping_varies_no_weights() -> None:
    names = parameter_names("grouping")
    assert "model.num_far" in names
    assert not {"model.backbone", "model.embedding_width", "train.num_steps", "seed"} & set(names)
    assert "train.num_steps" in parameter_names("training")


def test_table_3_stands_on_the_nodes_whatever_the_network_is_read_on() -> None:
    pinned = {
        "grouping.enlarge": 1,
        "grouping.mirror": False,
        "grouping.snap_to_edges": 0,
        "grouping.min_edge_share": 0,
        "grouping.num_passes": 1,
        "grouping.plateau_width": 128,
    }
    rows = SPACES["table3"]().rows
    assert all({name: row[name] for name in pinned} == pinned for row in rows)
    assert sorted(row["grouping.num_rounds"] for row in rows) == [1, 2, *[3] * 8]
