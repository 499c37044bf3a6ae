from __future__ import annotations

import itertools
import json
import re

import pytest

from eisen_ray.data.clips import Clip, problem_clip
from eisen_ray.data.frames import Probe, Quarantined
from eisen_ray.data.index import Fragment, Index, build_index, select_clips
from eisen_ray.errors import DataError


def folder(name: str, count: int, **meta: object) -> Clip:
    return Clip(name, "frames", tuple(f"file:///{name}/{i}.png" for i in range(count)), meta=meta)


def index_of(*counts: int, fragment_frames: int = 4, **settings: float) -> Index:
    clips = [folder(f"clip_{i}", count) for i, count in enumerate(counts)]
    probes = {clip.clip_id: Probe(clip.clip_id, count, 8, 8) for clip, count in zip(clips, counts, strict=True)}
    return build_index(clips, probes, fragment_frames=fragment_frames, **settings)


@pytest.mark.parametrize("length", [2, 3, 4, 9])
@pytest.mark.parametrize("stride", [1, 2, 5])
def test_every_pair_of_kept_frames_occurs_once(length, stride) -> None:
    for count in range(2, 30):
        kept = list(range(0, count, stride))
        if len(kept) < 2:
            continue
        index = index_of(count, fragment_frames=length, frame_stride=stride)
        pairs = [pair for fragment in index.fragments for pair in itertools.pairwise(fragment.frames)]
        assert pairs == list(itertools.pairwise(kept))
        assert all(2 <= fragment.num_frames <= length for fragment in index.fragments)
        assert index.num_pairs == len(pairs)
        for fragment in index.fragments:
            assert fragment.clip.first_frame == fragment.start
            positions = [number - fragment.start for number in fragment.frames]
            assert [fragment.clip.uris[p] for p in positions] == [f"file:///clip_0/{n}.png" for n in fragment.frames]
            assert len(fragment.clip.uris) == positions[-1] + 1


def test_ordinals_count_in_natural_order_whatever_the_order_given() -> None:
    clips = [folder(name, 6) for name in ("clip_10", "clip_2", "clip_1")]
    probes = {clip.clip_id: Probe(clip.clip_id, 6, 8, 8) for clip in clips}
    index = build_index(clips, probes, fragment_frames=4)
    assert index == build_index(clips[::-1], probes, fragment_frames=4)
    assert [fragment.ordinal for fragment in index.fragments] == list(range(6))
    assert [fragment.clip.clip_id for fragment in index.fragments[::2]] == ["clip_1", "clip_2", "clip_10"]


def test_fragment_ids_are_safe_stable_and_unlike() -> None:
    names = ["a/b", "a-b", "a b", "ä/ß", "../x", "x" * 300, "x" * 299]
    clips = [folder(name, 9) for name in names]
    probes = {name: Probe(name, 9, 8, 8) for name in names}
    ids = [fragment.fragment_id for fragment in build_index(clips, probes, fragment_frames=4).fragments]
    assert len(set(ids)) == len(ids) == len(names) * 3
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) and len(name) < 130 for name in ids)
    assert "a-b-000003-4x1-" in " ".join(ids)

    def only(clip: Clip, **settings: int) -> str:
        probe = {clip.clip_id: Probe(clip.clip_id, 9, 8, 8)}
        return build_index([clip], probe, **{"fragment_frames": 9, **settings}).fragments[0].fragment_id

    assert only(folder("a", 9)) == only(folder("a", 9)) == "a-000000-9x1-d35e7f6ad7"
    different = [folder("a", 9, bytes=5), Clip("a", "frames", tuple(f"memory:///{i}" for i in range(9)))]
    assert len({only(clip) for clip in [folder("a", 9), *different]}) == 3
    assert only(folder("a", 9)) != only(folder("a", 9), frame_stride=2) != only(folder("a", 9), fragment_frames=5)


def test_video_fragments_carry_the_one_seek_point_they_need() -> None:
    clip = Clip("film", "video", ("file:///film.mp4",), meta={"bytes": 7})
    probe = Probe("film", 100, 8, 8, anchors=((20, 2000), (40, 4000), (60, 6000)))
    index = build_index([clip], {"film": probe}, fragment_frames=31)
    anchors = {fragment.start: fragment.clip.meta.get("anchors") for fragment in index.fragments}
    assert anchors == {0: None, 30: [[20, 2000]], 60: [[60, 6000]], 90: [[60, 6000]]}


def test_everything_travels_as_json() -> None:
    clips = [folder("a", 6, zone_id=None), Clip("b", "video", ("file:///b.mp4",), ("file:///b_masks.npz",))]
    probes = {"a": Probe("a", 6, 8, 8), "b": Probe("b", 60, 8, 8, anchors=((16, 3),))}
    bad = Quarantined("c", "file:///c.mp4", "broken")
    index = build_index([*clips, folder("c", 3)], {**probes, "c": bad}, fragment_frames=5, max_bad_share=0.5)
    assert index.quarantine == (bad,)
    assert Index.from_dict(json.loads(json.dumps(index.to_dict()))) == index
    assert Index.from_json(index.to_json()) == index
    assert json.loads(index.to_json()) == index.to_dict()
    assert Fragment.from_json(index.fragments[-1].to_json()) == index.fragments[-1]
    assert Probe.from_json(probes["b"].to_json()) == probes["b"]
    assert Clip.from_dict(clips[1].to_dict()) == clips[1]
    assert len({hash(clip) for clip in clips}) == 2
    with pytest.raises(DataError, match="Clip cannot be built from"):
        Clip.from_dict({"clip_id": "a"})
    with pytest.raises(DataError, match="Was it written by another version"):
        Probe.from_dict({**probes["a"].to_dict(), "colour": 1})


def test_clips_are_chosen_evenly() -> None:
    clips = [folder(f"clip_{i}", 2) for i in range(10)]
    assert [clip.clip_id for clip in select_clips(clips[::-1], 4)] == ["clip_0", "clip_2", "clip_5", "clip_7"]
    assert len(select_clips(clips, 0)) == len(select_clips(clips, 10)) == len(select_clips(clips, 99)) == 10
    chosen = select_clips(clips, 4)
    assert select_clips(chosen, 4) == chosen
    probes = {clip.clip_id: Probe(clip.clip_id, 2, 8, 8) for clip in chosen}
    assert build_index(clips, probes, fragment_frames=4, max_clips=4).num_clips == 4


def test_too_many_bad_clips_are_an_error_that_names_them() -> None:
    clips = [folder(f"clip_{i}", 6) for i in range(10)]
    good = {clip.clip_id: Probe(clip.clip_id, 6, 8, 8) for clip in clips}
    bad = {clip.clip_id: Quarantined(clip.clip_id, clip.uris[0], "broken") for clip in clips}
    index = build_index(clips, {**good, "clip_3": bad["clip_3"], "clip_4": bad["clip_4"]}, fragment_frames=4)
    assert (index.num_clips, len(index.quarantine)) == (8, 2)
    with pytest.raises(DataError, match=r"3 of 10 clips cannot be used \(30%\); at most 20%") as caught:
        build_index(clips, {**good, **{f"clip_{i}": bad[f"clip_{i}"] for i in (3, 4, 5)}}, fragment_frames=4)
    assert "file:///clip_4/0.png: broken" in str(caught.value)
    with pytest.raises(DataError, match="and 5 more"):
        build_index(clips, bad, fragment_frames=4)
    with pytest.raises(DataError, match="No clip of 10 can be used"):
        build_index(clips, bad, fragment_frames=4, max_bad_share=1.0)


def test_folders_without_video_are_named_but_not_held_against_it() -> None:
    clips = [folder("a", 6), problem_clip("docs", "video", "no video"), problem_clip("more", "video", "no video")]
    probes = {"a": Probe("a", 6, 8, 8), **{c.clip_id: Quarantined(c.clip_id, c.address, "no video") for c in clips[1:]}}
    index = build_index(clips, probes, fragment_frames=4, max_bad_share=0.0)
    assert (index.num_clips, [item.clip_id for item in index.quarantine]) == (1, ["docs", "more"])


def test_clips_too_short_for_the_stride_are_named() -> None:
    index = index_of(20, 3, fragment_frames=4, frame_stride=5, max_bad_share=0.5)
    assert [(item.clip_id, item.reason) for item in index.quarantine] == [
        ("clip_1", "3 frames, fewer than 2 with frame_stride 5. Lower it.")
    ]


def test_wrong_use_is_an_error() -> None:
    with pytest.raises(DataError, match="occur more than once"):
        select_clips([folder("a", 2), folder("a", 3)], 0)
    with pytest.raises(DataError, match="was not probed"):
        build_index([folder("a", 2)], {}, fragment_frames=4)
    for settings in ({"fragment_frames": 1}, {"fragment_frames": 4097}, {"fragment_frames": 4, "frame_stride": 0}):
        with pytest.raises(DataError, match=r"expected 2\.\.4096"):
            build_index([folder("a", 2)], {}, **settings)
