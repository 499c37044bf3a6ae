from __future__ import annotations

import pytest

from eisen_ray.config import DataConfig
from eisen_ray.errors import ConfigError
from eisen_ray.evaluate_config import EvaluateConfig, ScoredDataConfig
from eisen_ray.settings import from_dict, to_dict


def test_defaults_score_the_sample() -> None:
    config = EvaluateConfig()
    assert (config.data.layout, config.data.source, config.max_images) == ("sample", "", 0)
    assert from_dict(EvaluateConfig, to_dict(config)) == config


def test_layouts_are_those_of_training() -> None:
    assert ScoredDataConfig.__annotations__["layout"] == DataConfig.__annotations__["layout"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_images": -1}, "max_images is -1; expected at least 0"),
        ({"passes": 0}, "passes is 0"),
        ({"actors": 0}, "actors is 0"),
        ({"gpus_per_actor": 0.0}, "gpus_per_actor is 0.0; expected above 0"),
        ({"data": {"layout": "davis"}}, "data.source is ''; expected a folder or URL for 'davis'"),
        ({"data": {"arm_id": -2}}, "data.arm_id is -2"),
        ({"data": {"ignore_id": -2}}, "data.ignore_id is -2"),
        ({"data": {"split": "valid"}}, "data.split"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_dict(EvaluateConfig, wrong)
