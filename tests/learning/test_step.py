"""One optimisation step: what it lowers, sums, clips, refuses, and that workers together take the step of one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from eisen_ray.errors import ConfigError
from eisen_ray.learning.augment import augment
from eisen_ray.learning.drawn_loss import drawn_loss
from eisen_ray.learning.loss import affinity_loss
from eisen_ray.learning.static_loss import static_loss
from eisen_ray.learning.step import Batch, StepSettings, batch_loss, train_step
from eisen_ray.model.affinity import AffinityHead
from eisen_ray.model.competition import Competition
from eisen_ray.model.eisen import Eisen, Grouping, Level
from eisen_ray.model.kprop import KProp
from eisen_ray.model.neighbors import NeighborSampler
from tests.layouts import assert_close, seeded

UNCLIPPED = 1e9


class Patches(nn.Module):
    """A backbone that sees one patch per node; no batch statistics, so that halves of a batch add up to it."""

    out_channels = 12

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, self.out_channels, 4, stride=4)
        self.seen: list[torch.dtype] = []

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        features = self.conv(images)
        self.seen.append(features.dtype)
        return features.relu()


def make_model(scope: str = "full", seed: int = 0) -> Eisen:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sampler = NeighborSampler(scope, window=3, num_far=6, tile_size=4)
        return Eisen(Patches(), AffinityHead(Patches.out_channels, 8), sampler, Grouping(KProp(), Competition()))


def make_batch(size: int = 4, side: int = 8) -> Batch:
    """Two coloured squares on noise; the first half is hardly labelled, the last not at all."""
    labels = torch.zeros(size, side, side, dtype=torch.long)
    labels[:, 1:4, 1:4], labels[:, 4:7, 3:7] = 1, 2
    images = torch.randint(0, 60, (size, 3, 4 * side, 4 * side), generator=seeded(1))
    large = labels.repeat_interleave(4, 1).repeat_interleave(4, 2)
    images[:, 0] += 150 * (large == 1)
    images[:, 1] += 150 * (large == 2)
    labels[: size // 2, 2:] = 0
    labels[-1] = 0
    return Batch(images.to(torch.uint8), labels)


def weights_of(model: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def step(model: nn.Module, batch: Batch, *, rate: float = 1.0, seed: int = 0, **settings: object) -> dict[str, float]:
    """One step of plain gradient descent: the change of the weights is the (clipped) gradient."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    return train_step(model, batch, optimizer, seeded(seed), StepSettings(**{"clip_norm": UNCLIPPED, **settings}))


@pytest.mark.parametrize("scope", ["full", "local+far"])
def test_steps_on_one_batch_lower_the_loss(scope: str) -> None:
    model, batch, generator = make_model(scope), make_batch(), seeded()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    settings = StepSettings(clip_norm=UNCLIPPED)
    losses = [train_step(model, batch, optimizer, generator, settings)["train/loss"] for _ in range(30)]
    assert losses[-1] < 0.3 * losses[0]
    assert model.training


def test_reports_loss_gradient_and_share_of_labelled_nodes() -> None:
    model, batch = make_model(), make_batch()
    before = weights_of(model)
    levels = model(batch.images, seeded())
    expected, rows = affinity_loss(levels[0].logits, batch.labels.flatten(1), levels[0].neighborhood)
    reported = step(model, batch)
    assert reported.keys() == {"train/loss", "train/grad_norm", "train/supervised_share"}
    assert reported["train/loss"] == pytest.approx((expected / rows).item(), rel=1e-5)
    assert reported["train/grad_norm"] == pytest.approx((weights_of(model) - before).norm().item(), rel=1e-4)
    assert reported["train/supervised_share"] == pytest.approx((batch.labels > 0).float().mean().item())


def test_gradient_is_clipped_and_reported_unclipped() -> None:
    model, batch = make_model(), make_batch()
    before = weights_of(model)
    reported = step(model, batch, clip_norm=0.01)
    assert reported["train/grad_norm"] > 0.05
    assert (weights_of(model) - before).norm().item() == pytest.approx(0.01, rel=1e-3)


def test_gradients_do_not_add_up_over_steps() -> None:
    once, twice = make_model(), make_model()
    step(once, make_batch())
    start = weights_of(twice)
    step(twice, make_batch(), rate=0.0)
    step(twice, make_batch())
    assert_close(weights_of(twice) - start, weights_of(once) - start, 1e-6)


def test_levels_add_up_each_over_its_own_rows() -> None:
    model, batch = make_model("local+far"), make_batch(side=12)
    levels = model(batch.images, seeded(), 3)
    expected = 0.0
    for level in levels:
        thin = batch.labels[:, :: level.stride, :: level.stride].flatten(1)
        total, rows = affinity_loss(level.logits, thin, level.neighborhood)
        assert rows > 0
        expected += (total / rows).item()
    loss = batch_loss(levels, batch.labels)
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    assert batch_loss(levels[:1], batch.labels) < loss


def test_a_level_without_labels_adds_nothing() -> None:
    model, batch = make_model(), make_batch()
    labels = torch.zeros_like(batch.labels)
    labels[:, 1::2, 1::2] = 1  # stride 2 misses all of them
    levels = model(batch.images, seeded(), 2)
    assert batch_loss(levels, labels).item() == pytest.approx(batch_loss(levels[:1], labels).item())


@pytest.mark.parametrize("settings", [{"num_levels": 1}, {"num_levels": 3}, {"labelled_rows": 4}])
def test_a_batch_without_labels_changes_nothing(settings: dict[str, int]) -> None:
    model, batch = make_model("local+far"), make_batch()
    before = weights_of(model)
    reported = step(model, Batch(batch.images, 0 * batch.labels), **settings)
    assert reported == {"train/loss": 0.0, "train/grad_norm": 0.0, "train/supervised_share": 0.0}
    assert all(p.grad is not None and (p.grad == 0).all() for p in model.parameters())
    assert torch.equal(weights_of(model), before)


def spoil_forward(model: Eisen) -> None:
    def spoil(module: nn.Module, inputs: object, levels: list[Level]) -> list[Level]:
        return [level._replace(query=level.query * torch.nan) for level in levels]

    model.register_forward_hook(spoil)


def spoil_backward(model: Eisen) -> None:
    next(model.parameters()).register_hook(lambda gradient: gradient * torch.inf)


@pytest.mark.parametrize("spoil", [spoil_forward, spoil_backward])
def test_divergence_is_raised_before_the_update(spoil: object) -> None:
    model, batch = make_model(), make_batch()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    train_step(model, batch, optimizer, seeded(), StepSettings())
    before, moments = weights_of(model), optimizer.state[next(model.parameters())]["exp_avg"].clone()
    spoil(model)
    with pytest.raises(FloatingPointError, match=r"diverged: loss .*(nan|inf).*nothing was updated"):
        train_step(model, batch, optimizer, seeded(), StepSettings())
    assert torch.equal(weights_of(model), before)
    assert torch.equal(optimizer.state[next(model.parameters())]["exp_avg"], moments)


def test_half_precision_is_close_and_leaves_the_loss_alone() -> None:
    exact, rough = make_model("local+far"), make_model("local+far")
    before = weights_of(exact)
    dtypes = []
    rough.register_forward_hook(lambda module, inputs, levels: dtypes.append(levels[0].logits.dtype))
    one = step(exact, make_batch(), precision="fp32")
    other = step(rough, make_batch(), precision="bf16")
    assert (exact.backbone.seen, rough.backbone.seen) == ([torch.float32], [torch.bfloat16])
    assert dtypes == [torch.float32]
    assert other["train/loss"] == pytest.approx(one["train/loss"], rel=0.03)
    assert other["train/loss"] != one["train/loss"]
    moves = [weights_of(model) - before for model in (exact, rough)]
    assert torch.cosine_similarity(*moves, dim=0) > 0.99
    assert all(parameter.dtype == torch.float32 for parameter in rough.parameters())


def test_augmented_steps_see_the_changed_batch() -> None:
    batch, generator = make_batch(), seeded(3)
    changed = Batch(*augment(batch.images, batch.labels, generator))
    expected = train_step(
        (plain := make_model()), changed, torch.optim.SGD(plain.parameters(), lr=1.0), generator, StepSettings()
    )
    assert step(make_model(), batch, seed=3, augmented=True, clip_norm=1.0) == pytest.approx(expected, rel=1e-5)
    assert step(make_model(), batch, seed=3, clip_norm=1.0)["train/loss"] != pytest.approx(expected["train/loss"])


def test_rows_at_rest_are_added_as_their_mean() -> None:
    model, batch, generator = make_model(), make_batch(), seeded()
    labels = batch.labels.flatten(1)
    (level,) = model(batch.images, generator)
    total, rows = static_loss(level.query, level.key, labels, generator, 5)
    assert 0 < rows < 5 * len(labels)
    plain = step(make_model(), batch)["train/loss"]
    assert step(make_model(), batch, static_rows=5)["train/loss"] == pytest.approx(plain + (total / rows).item())


def test_drawn_rows_replace_all_rows_at_every_level() -> None:
    model, batch, generator = make_model(), make_batch(), seeded()
    levels = model(batch.images, generator, 2)
    settings = StepSettings(labelled_rows=5, segment_balance=0.5)
    state, expected = generator.get_state(), 0.0
    for level in levels:
        thin = batch.labels[:, :: level.stride, :: level.stride].flatten(1)
        total, rows = drawn_loss(level.query, level.key, thin, level.neighborhood, generator, 5, 0.5)
        expected += (total / rows).item()
    generator.set_state(state)
    assert batch_loss(levels, batch.labels, settings, generator).item() == pytest.approx(expected)
    reported = step(make_model(), batch, labelled_rows=5, segment_balance=0.5, num_levels=2)
    assert reported["train/loss"] == pytest.approx(expected, rel=1e-5)
    assert reported["train/supervised_share"] == pytest.approx((batch.labels > 0).float().mean().item())
    with pytest.raises(ConfigError, match="generator"):
        batch_loss(levels, batch.labels, settings)


def test_the_generator_draws_the_pairs() -> None:
    losses = [step(make_model("local+far"), make_batch(), seed=seed)["train/loss"] for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]


def worker(rank: int, folder: str) -> None:
    """One of two workers: a step on its half, then a step on a batch that only the first worker finds spoiled."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    batch = make_batch()
    half = Batch(*(part[2 * rank : 2 * rank + 2] for part in batch))
    model = make_model()
    wrapped = nn.parallel.DistributedDataParallel(model)
    reported = step(wrapped, half, num_levels=2, world_size=2)
    after = weights_of(model)
    spoiled = Batch(half.images * (torch.nan if rank == 0 else 1.0), half.labels)
    try:
        step(wrapped, spoiled, num_levels=2, world_size=2)
        raised = ""
    except FloatingPointError as error:
        raised = str(error)
    result = {"reported": reported, "after": after, "raised": raised, "kept": torch.equal(weights_of(model), after)}
    torch.save(result, f"{folder}/{rank}.pt")
    torch.distributed.barrier()
    # Not through the interpreter's end: torch 2.15 sometimes destroys a running thread of gloo there and aborts.
    os._exit(0)


def test_two_workers_take_the_step_of_one(tmp_path: Path) -> None:
    """Halves with very different numbers of labels: only a normaliser over all workers gives the same gradient."""
    batch, model = make_batch(), make_model()
    supervised = (batch.labels > 0).sum(dim=(1, 2))
    assert 2 * supervised[:2].sum() < supervised[2:].sum()
    expected = step(model, batch, num_levels=2)
    torch.multiprocessing.spawn(worker, (str(tmp_path),), nprocs=2)
    results = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    for result in results:
        assert result["reported"] == pytest.approx(expected, rel=1e-5)
        assert_close(result["after"], weights_of(model), 1e-6)
        assert "diverged" in result["raised"], "every worker stops, not only the one that sees it"
        assert result["kept"]
