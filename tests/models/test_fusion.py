"""The fusion network and its training data: shapes, masks, labels, fences, and that a card tells the truth."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from agent.capture.spec import MediaInfo
from agent.inference.card import has_card, load_card, zoo_folder
from agent.inference.device import Chosen, Place
from agent.types import FUSION_STEPS, Frame, PictureStats, Seen
from models.fusion import clips as clips_module
from models.fusion.ablation import kept_rows
from models.fusion.clips import Alteration, Clip, manifest, may_train, trainable
from models.fusion.export import SURE_LLR, balanced, highest, logistic, opens
from models.fusion.net import (
    AGE_PLACES,
    KINDS,
    LABELS,
    MOTION_PLACES,
    OUT,
    STREAMS,
    Fusion,
    Member,
    Shape,
    unlowered,
)
from models.fusion.running import after_calm
from models.fusion.signals import Signals, shuffled
from models.fusion.to_and_fro import LONG_S, ToAndFro
from models.fusion.train import (
    TEACHERS,
    Setting,
    apart_from,
    auc,
    every_window,
    fight_logits,
    fold_of,
    loss_of,
    tensors,
    train_member,
    with_sound,
)
from models.fusion.windows import WIDTHS, Examples, Mix, Sequence16, Sound, _targets, cut_out

CLIP = Clip("made", Path("made.mp4"), "fight", ((1.0, 3.0, "fight"),), "me/mine", "none", "g1", "train", 6.0)


def made(kind: str = "fight", group: str = "g1", length: int = 12, seed: int = 0) -> Sequence16:
    rng = np.random.default_rng(seed)
    clip = replace(CLIP, kind=kind, group=group, events=CLIP.events if kind == "fight" else ())
    rows = {name: rng.normal(size=(length, WIDTHS[name])).astype(np.float32) for name in STREAMS}
    known = {name: np.ones(length, np.float32) for name in STREAMS}
    return Sequence16(clip, 0, rows, known, *_targets(clip, length))


def some() -> list[Sequence16]:
    return [made("fight" if index % 2 else "normal", f"g{index}", seed=index) for index in range(6)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_of_fusing_gives_finite_logits_and_attention_that_sums_to_one_at_most(kind: str) -> None:
    batch = Examples(some(), [], 0).batch(8)
    fused, attention, own = Member(WIDTHS, kind).eval()(tensors(batch))
    assert fused.shape == (8, OUT)
    assert own.shape == (8, len(STREAMS), OUT)
    assert attention.shape == (8, len(STREAMS), FUSION_STEPS)
    assert torch.isfinite(fused).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_without_anything_known_stays_finite(kind: str) -> None:
    batch = {name: np.zeros_like(value) for name, value in Examples(some(), [], 0).batch(2).items()}
    fused, _, _ = Member(WIDTHS, kind).eval()(tensors(batch))
    assert torch.isfinite(fused).all()


def test_what_is_masked_has_no_influence() -> None:
    torch.manual_seed(0)
    member = Member(WIDTHS).eval()
    batch = Examples(some(), [], 0).batch(4)
    batch["sound_known"][:] = 0.0
    other = dict(batch) | {"sound": batch["sound"] + 100.0}
    assert torch.allclose(member(tensors(batch))[0], member(tensors(other))[0])


def test_attention_of_the_shipped_kind_sums_to_one() -> None:
    batch = Examples(some(), [], 0).batch(4)
    _, _, attention = Fusion([Member(WIDTHS), Member(WIDTHS)]).eval()(*tensors(batch))
    assert torch.allclose(attention.sum((1, 2)), torch.ones(4), atol=1e-5)


def test_the_loss_falls_when_the_network_learns_a_batch_by_heart() -> None:
    torch.manual_seed(0)
    member = Member(WIDTHS)
    batch = Examples(some(), [], 0).batch(16)
    optimiser = torch.optim.Adam(member.parameters(), 5e-3)
    first = float(loss_of(member, batch, Setting()).detach())
    for _ in range(30):
        loss = loss_of(member, batch, Setting())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.7 * first


def test_a_member_that_says_what_its_teachers_say_is_not_apart_from_them_and_learns_to() -> None:
    torch.manual_seed(0)
    batch = Examples(some(), [], 0).batch(16)
    member, teachers = Member(WIDTHS).eval(), [Member(WIDTHS).eval() for _ in range(2)]
    assert float(apart_from([member], member, batch).detach()) == pytest.approx(0.0, abs=1e-6)
    first = float(apart_from(teachers, member, batch).detach())
    optimiser = torch.optim.Adam(member.parameters(), 5e-3)
    for _ in range(20):
        loss = apart_from(teachers, member, batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.5 * first
    assert all(one.grad is None for teacher in teachers for one in teacher.parameters())


def test_teachers_never_see_the_fold_that_their_member_is_judged_by(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[set[str]] = []

    class Noted(Examples):
        def __init__(self, clips: list[Sequence16], sounds: list[Sound], seed: int, mix: Mix | None = None) -> None:
            drawn.append({one.clip.group for one in clips})
            super().__init__(clips, sounds, seed, mix)

    monkeypatch.setattr("models.fusion.train.Examples", Noted)
    clips = some()
    fold = fold_of(clips[0].clip.group)
    train_member(clips, [], fold, Setting(steps=2, distil=1.0))
    assert len(drawn) == 1 + TEACHERS
    assert all(fold_of(group) != fold for groups in drawn for group in groups)


def test_what_another_runtime_rounded_otherwise_is_kept_apart() -> None:
    class Model:
        def __init__(self, *runtimes: str) -> None:
            self.chosen = tuple(Chosen(None, Place(one, "cpu"), "int8", "", "", 0.0) for one in runtimes)  # type: ignore[arg-type]

    class Both:
        def __init__(self, *runtimes: str) -> None:
            self.vision, self.hearing = Model(*runtimes, *runtimes), Model(*runtimes)

        def model_versions(self) -> dict[str, str]:
            return {"vision": "aaaaaaaabb", "hearing": "ccccccccdd", "hearing-verifier": "eeeeeeeeff"}

    trusted, other = (clips_module.folders(Both(one)) for one in ("onnxruntime", "openvino"))  # type: ignore[arg-type]
    assert trusted["seen"].name.startswith("seen-aaaaaaaa-motion")
    assert trusted["heard"].name == "heard-cccccccc-eeeeeeee"
    assert other["seen"].name.startswith("seen-aaaaaaaa.openvino-motion")
    assert other["heard"].name == "heard-cccccccc-eeeeeeee.openvino"


def test_a_fight_is_a_target_only_while_and_shortly_after_it_lasts() -> None:
    targets, weights = _targets(CLIP, 12)
    assert targets[:, 0].tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0]
    assert weights[:2, 0].tolist() == [1.0, 1.0]
    assert weights[8:, 0].tolist() == [0.0] * 4  # shortly after counts neither way


def test_a_window_reaches_back_as_far_as_the_clip_and_no_further() -> None:
    window = cut_out(made(), 5)
    assert window["people_known"].tolist() == [0.0] * 11 + [1.0] * 5
    assert np.array_equal(window["people"][-1], made().rows["people"][4])


def test_a_paired_scream_is_told_to_the_scream_head() -> None:
    rows = np.ones((4, WIDTHS["sound"]), np.float32)
    sounds = [Sound(rows, frozenset({name}), name) for name in ("scream", "music")]
    examples = Examples(some(), sounds, 3)
    batch = examples.batch(64)
    paired = batch["targets"][:, LABELS.index("scream")] > 0
    assert paired.any()
    assert not paired.all()
    assert (batch["sound_known"][paired].sum(1) > 0).any()


def test_the_same_seed_draws_the_same_examples() -> None:
    first, second = (Examples(some(), [], 5).batch(8) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_fold_never_changes() -> None:
    assert [fold_of(group) for group in ("surv_g000", "surv_g001", "gmdcsa_s1")] == [
        fold_of(group) for group in ("surv_g000", "surv_g001", "gmdcsa_s1")
    ]
    assert len({fold_of(f"g{index}") for index in range(100)}) == 5


def test_auc_counts_ties_half() -> None:
    assert auc(np.array([True, False]), np.array([1.0, 1.0])) == 0.5
    assert auc(np.array([True, True, False]), np.array([2.0, 3.0, 1.0])) == 1.0


def test_the_logistic_fit_finds_scale_and_offset() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=4000)
    truth = rng.random(4000) < 1 / (1 + np.exp(-(2.0 * logits - 1.0)))
    scale, offset = logistic(logits, truth, np.ones(4000))
    assert scale == pytest.approx(2.0, abs=0.2)
    assert offset == pytest.approx(-1.0, abs=0.2)


def test_every_clip_weighs_the_same_within_its_class() -> None:
    truth = np.array([True, True, False, False, False])
    weights = balanced(truth, np.array([0, 0, 1, 2, 2]))
    assert weights[:2].sum() == pytest.approx(weights[2:].sum())
    assert weights[2] == pytest.approx(weights[3] + weights[4])


def test_the_ledger_opens_where_two_moments_agree_and_is_sure_of_what_lasts_only() -> None:
    assert opens(np.full(4, 2.0), SURE_LLR)
    assert opens(np.array([2.0, 0.4, -2.0, -2.0]))
    assert not opens(np.array([2.0, 0.4, -2.0, -2.0]), SURE_LLR)
    assert not opens(np.array([9.0, -0.2, -2.0, -2.0]))
    assert not opens(np.array([0.4, -2.0, -2.0, -2.0]))
    assert 0.0 < highest(np.full(10, -1.0)) < 1.0


def test_an_alteration_is_the_same_every_time_and_keeps_the_size() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (48, 80, 3)).astype(np.uint8)
    first, second = (Alteration.of("clip", 1).apply(picture, 7) for _ in range(2))
    assert first.shape == picture.shape
    assert np.array_equal(first, second)
    assert not np.array_equal(first, Alteration.of("clip", 2).apply(picture, 7))


def test_a_hit_of_never_train_is_left_out() -> None:
    key = hashlib.sha256(b"me/mine:a/b.mp4").hexdigest()
    assert may_train(CLIP, "a/b.mp4", frozenset())
    assert not may_train(CLIP, "a/b.mp4", frozenset({key}))
    assert not may_train(replace(CLIP, split="val"), "a/b.mp4", frozenset())


@pytest.mark.skipif(not (clips_module.SHARED / "data" / "video").is_dir(), reason="the shared data is not here")
def test_no_validation_group_is_trained_on() -> None:
    held_out = {clip.group for clip in manifest() if clip.split == "val"}
    chosen = trainable()
    assert chosen
    assert not {clip.group for clip in chosen} & held_out
    assert {clip.split for clip in chosen} == {"train"}


@pytest.mark.skipif(not has_card("fusion"), reason="no fusion graph came along")
def test_the_shipped_card_fits_its_graph() -> None:
    card = load_card("fusion")
    assert card.labels == LABELS
    assert card.path_of(card.files[0]).stat().st_size < 1_000_000
    raw = json.loads((zoo_folder() / "fusion.json").read_text())
    assert raw["files"][0]["inputs"]["people"] == [1, FUSION_STEPS, WIDTHS["people"]]
    assert raw["training"]["data"]


def test_in_mutual_attention_a_stream_that_is_alone_looks_at_nothing_of_its_own() -> None:
    torch.manual_seed(0)
    batch = Examples(some(), [], 0).batch(4)
    for name in ("scene", "sound"):
        batch[f"{name}_known"][:] = 0.0
    member = Member(WIDTHS, "mutual").eval()
    steps = {name: torch.from_numpy(batch[name]) for name in STREAMS}
    known = torch.stack([torch.from_numpy(batch[f"{name}_known"]) for name in STREAMS], 1)
    tokens = torch.stack([member.streams[n](steps[n], known[:, i]) for i, n in enumerate(STREAMS)], 1)
    before = member._looked(tokens, known)
    tokens[:, 1, 3] += 1.0  # another step of the only stream that is known
    after = member._looked(tokens, known)
    assert torch.isfinite(member(tensors(batch))[0]).all()
    others = [place for place in range(FUSION_STEPS) if place != 3]
    assert torch.allclose(before[:, 1, others], after[:, 1, others], atol=1e-5), "it looked at its own stream"


def test_shuffled_windows_keep_their_steps_and_the_masks_go_with_them() -> None:
    torch.manual_seed(1)
    inputs = tensors(Examples(some(), [], 0).batch(32))
    mixed, was_mixed = shuffled(inputs)
    assert 0 < was_mixed.sum() < 32
    for before, after in zip(inputs, mixed, strict=True):
        kept = was_mixed == 0
        assert torch.equal(before[kept], after[kept])
        assert torch.allclose(before.sum(1), after.sum(1), atol=1e-4)
    assert not torch.equal(inputs[1][was_mixed > 0], mixed[1][was_mixed > 0])


def test_a_picture_that_finds_its_own_sound_costs_less_than_one_that_does_not() -> None:
    torch.manual_seed(0)
    signals = Signals(8)
    torch.nn.init.eye_(signals.heard.weight)
    summaries = torch.zeros(4, 3, 8)
    summaries[:, 2] = 5.0 * torch.eye(4, 8)
    with torch.no_grad():
        signals.seen.weight.zero_()
        signals.seen.weight[:8, :8] = torch.eye(8)
    summaries[:, 0] = summaries[:, 2]
    own = torch.ones(4)
    fitting = float(signals.agreement(summaries, own).detach())
    summaries[:, 0] = summaries[[1, 2, 3, 0], 2]
    assert fitting < 0.5 * float(signals.agreement(summaries, own).detach())
    assert float(signals.agreement(summaries, torch.tensor([1.0, 0.0, 0.0, 0.0])).detach()) == 0.0


def test_the_search_begins_with_the_setting_of_today() -> None:
    optuna = pytest.importorskip("optuna")
    from models.fusion.search import STEPS, TODAY, suggested

    setting = suggested(optuna.trial.FixedTrial(TODAY), STEPS)
    assert setting == Setting(mix=Mix(), steps=STEPS)


def test_neither_a_sound_nor_a_calm_past_takes_from_the_belief_in_a_fight_and_nothing_else_is_touched() -> None:
    torch.manual_seed(0)
    member = Member(WIDTHS).eval()
    inputs = tensors(Examples(some(), [], 0).batch(32))
    inputs[4] = torch.ones_like(inputs[4])
    newest = (torch.arange(FUSION_STEPS) >= FUSION_STEPS - member.shape.brief).float()
    with torch.no_grad():
        told, _ = unlowered(member, inputs)
        plain = member(inputs)[0]
        alone = member([*inputs[:-1], torch.zeros_like(inputs[-1])])[0]
        brief = member([*inputs[:3], inputs[3] * newest, inputs[4] * newest, torch.zeros_like(inputs[5])])[0]
    assert (plain[:, 0] < alone[:, 0] - 1e-4).any(), "else this shows nothing"
    assert (alone[:, 0] < brief[:, 0] - 1e-4).any(), "else this shows nothing"
    highest_of = torch.stack([plain[:, 0], alone[:, 0], brief[:, 0]]).amax(0)
    assert torch.allclose(told[:, 0], highest_of, atol=1e-6)
    assert torch.equal(told[:, 1:], plain[:, 1:])


def test_where_the_picture_is_unknown_only_the_sound_is_believed() -> None:
    torch.manual_seed(0)
    member = Member(WIDTHS).eval()
    inputs = tensors(Examples(some(), [], 0).batch(8))
    inputs[4] = torch.zeros_like(inputs[4])  # the scene's embedding is not looked at
    inputs[5] = torch.ones_like(inputs[5])
    with torch.no_grad():
        assert torch.allclose(unlowered(member, inputs)[0], member(inputs)[0])


def test_what_lies_further_back_than_the_steps_looked_at_says_nothing() -> None:
    torch.manual_seed(0)
    member = Member(WIDTHS, shape=Shape(recent=5)).eval()
    inputs = tensors(Examples(some(), [], 0).batch(8))
    older = [one.clone() for one in inputs]
    for one in older[:3]:
        one[:, : FUSION_STEPS - member.shape.recent] += 3.0
    with torch.no_grad():
        assert torch.equal(member(inputs)[0], member(older)[0])


@pytest.mark.parametrize(("shape", "unread"), [(Shape(motion=False), MOTION_PLACES), (Shape(ages=False), AGE_PLACES)])
def test_features_that_are_not_read_say_nothing_and_the_others_do(shape: Shape, unread: list[int]) -> None:
    torch.manual_seed(0)
    member = Member(WIDTHS, shape=shape).eval()
    inputs = tensors(Examples(some(), [], 0).batch(8))
    other, read = [one.clone() for one in inputs], [one.clone() for one in inputs]
    other[1][:, :, unread] += 3.0
    read[1][:, :, [place for place in range(WIDTHS["people"]) if place not in unread]] += 3.0
    with torch.no_grad():
        assert torch.equal(member(inputs)[0], member(other)[0])
        assert not torch.allclose(member(inputs)[0], member(read)[0])


def test_every_window_of_a_clip_is_what_is_cut_out_at_its_end() -> None:
    one = made(length=21)
    whole = every_window(one)
    for end in (1, 5, 16, 21):
        assert all(np.array_equal(whole[name][end - 1], value) for name, value in cut_out(one, end).items())


def test_clips_judged_together_are_told_what_each_is_told_alone() -> None:
    torch.manual_seed(0)
    member, clips = Member(WIDTHS), [made(length=length, seed=length) for length in range(3, 23)]
    together = fight_logits(member, clips)
    assert [len(z) for z in together] == [one.length for one in clips]
    assert all(
        np.allclose(z, fight_logits(member, [one])[0], atol=1e-5) for z, one in zip(together, clips, strict=True)
    )


def test_a_table_keeps_its_rows_only_under_the_same_header(tmp_path: Path) -> None:
    path = tmp_path / "ablation.md"
    assert kept_rows(path, ["made so"]) == {}
    path.write_text("made so\n| early | 0.8 |\n| late | 0.7 |\n")
    assert kept_rows(path, ["made so"]) == {"early": "| early | 0.8 |", "late": "| late | 0.7 |"}
    assert kept_rows(path, ["made otherwise"]) == {}


def test_a_recorded_sound_stands_beside_a_clip_from_its_beginning() -> None:
    sound = Sound(np.ones((3, WIDTHS["sound"]), np.float32), frozenset({"music"}), "m")
    beside = with_sound(made(), sound)
    assert beside.known["sound"].tolist() == [1.0] * 3 + [0.0] * 9
    assert beside.rows["sound"][2].min() == 1.0
    assert with_sound(made(), None).known["sound"].sum() == 0.0
    assert np.array_equal(beside.rows["people"], made().rows["people"])


class Shown:
    """A medium of so many pictures, one every 0.1 s, each with its number in it."""

    def __init__(self, count: int) -> None:
        self.count, self.info = count, MediaInfo(has_picture=True, has_sound=True)

    def read(self) -> Iterator[Frame]:
        for index in range(self.count):
            picture = np.full((2, 2, 3), index, np.uint8)
            yield Frame(camera="c", at_ns=index * 100_000_000, picture=picture, width_px=2, height_px=2, index=index)


def test_a_short_clip_goes_on_to_and_fro_without_a_jump() -> None:
    shown = ToAndFro(Shown(20))
    frames = list(shown.read())
    assert not shown.info.has_sound
    assert [int(frame.picture[0, 0, 0]) for frame in frames[:42]] == [*range(20), *range(18, -1, -1), 1, 2, 3]
    assert [frame.at_ns for frame in frames] == [index * 100_000_000 for index in range(round(LONG_S * 10))]


def test_a_clip_behind_calm_is_judged_from_where_it_begins() -> None:
    clips = [replace(CLIP, name=name, kind=kind, group=name) for name, kind in (("a", "fight"), ("b", "normal"))]
    same = [name for name in map(str, range(99)) if fold_of(name) == fold_of("a")]
    clips = [clips[0], replace(clips[1], group=same[0]), replace(clips[1], name="c", group=same[1])]
    seen = {clip.name: [a_picture(tenth) for tenth in range(30)] for clip in clips}
    for one, begins in after_calm(clips, seen):
        assert begins >= 16
        assert one.length > begins + 4
        fights = np.flatnonzero(one.targets[:, 0])
        assert (fights.min(initial=10**9) >= begins) if one.clip.kind == "fight" else not len(fights)
        assert one.known["people"][begins - 15 :].all()


def a_picture(tenth: int) -> Seen:
    stats = PictureStats(brightness_frac=0.5, contrast_frac=0.2, sharpness_frac=0.2, moving_frac=0.1)
    return Seen(
        camera="c", at_ns=tenth * 100_000_000, aspect_ratio=1.5, stats=stats, detections=(), embedding=(0.0,) * 128
    )
