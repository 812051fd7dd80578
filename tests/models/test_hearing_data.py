"""What may be trained on: nothing of validation, nothing that is kept for outside tests."""

import hashlib
from pathlib import PurePosixPath

import numpy as np
import pytest

pytest.importorskip("soundfile", reason="needs the extra `train`")
pytest.importorskip("tqdm", reason="needs the extra `train`")

from models.hearing import catalogue, data, synth
from models.hearing.exclude import Fences, content_key, fingerprint, hits, read_never_train
from models.hearing.labels import AUDIOSET, LABELS, SECURITY, ours

REPO = "someone/sounds"


def _bang(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sound = rng.normal(0, 9_000, 24_000) * np.exp(-np.arange(24_000) / 3_000.0)
    colour = np.convolve(sound, rng.normal(size=64) / 8.0, "same")
    return np.clip(colour, -32_000, 32_000).astype(np.int16)


def _fences(**kept: object) -> Fences:
    fences = Fences(frozenset())
    fences.fence_off(REPO, "val/bang.wav@1.50s", "fs1", _bang())
    return fences


def test_a_listed_path_or_file_name_is_never_trained_on() -> None:
    listed = frozenset(hashlib.sha256(key.encode()).hexdigest() for key in (f"{REPO}:a/b.wav", "name:c.wav"))
    assert hits(listed, REPO, "a/b.wav")
    assert hits(listed, REPO, "a/b.wav@3.00s")
    assert hits(listed, "other/place", "deep/c.wav")
    assert not hits(listed, "other/place", "a/b.wav")


def test_a_validation_item_is_recognised_by_path_group_and_content() -> None:
    fences = _fences()
    assert fences.forbids(REPO, "val/bang.wav@9.00s", "fs2") == "path"
    assert fences.forbids("other/place", "x.wav", "fs1") == "group"
    assert fences.forbids("other/place", "x.wav", "fs2") is None
    assert fences.recognises(_bang()) == "content"


def test_a_validation_item_is_recognised_quieter_and_with_another_lead_in() -> None:
    disguised = np.concatenate([np.zeros(4_800, np.int16), (_bang() // 3).astype(np.int16)])
    assert _fences().recognises(disguised) == "fingerprint"


def test_another_bang_is_not_mistaken_for_a_validation_item() -> None:
    assert _fences().recognises(_bang(seed=1)) is None


def test_a_fingerprint_is_a_unit_vector_even_of_silence() -> None:
    assert np.isfinite(fingerprint(np.zeros(100, np.float32))).all()
    assert content_key(np.zeros(10, np.int16))


@pytest.mark.parametrize(
    ("repo", "path", "labels", "group"),
    [
        ("Alejandro-131004/AC-II", "UrbanSound8K/audio/fold1/7061-6-0-0.wav", ("gunshot",), "fs7061"),
        ("Alejandro-131004/AC-II", "UrbanSound8K/audio/fold2/26173-8-0-0.wav", ("alarm", "siren"), "fs26173"),
        ("karolpiczak/ESC-10", "001 - Dog bark/1-110389-A.ogg", ("dog_bark",), "fs110389"),
        (
            "maxschuman/nmf_auditory_scenes",
            "dev_dataset/dcase2016_task2_train/doorslam006.wav",
            ("door_slam",),
            "dc16_doorslam006",
        ),
        (
            "damalsk/damalsksoundpack",
            "env/explosions/explosion_large_3.ogg",
            ("explosion",),
            "dama_explosions_explosion_large",
        ),
    ],
)
def test_a_path_tells_its_labels_and_its_recording(repo: str, path: str, labels: tuple[str, ...], group: str) -> None:
    listed = catalogue.listing(repo, path)
    assert listed is not None
    assert (listed.labels, listed.group) == (labels, group)


def test_fold_ten_of_urbansound_is_left_alone() -> None:
    assert catalogue.listing("Alejandro-131004/AC-II", "UrbanSound8K/audio/fold10/100648-1-0-0.wav") is None


def test_a_repository_that_nobody_described_has_no_labels_to_believe() -> None:
    listed = catalogue.listing(REPO, "gunshot.wav")
    assert listed is not None
    assert (listed.labels, listed.known) == ((), False)


def test_every_label_of_the_rules_is_ours_and_kinds_of_alarm_are_alarms() -> None:
    rules = {label for _, labels in catalogue.PACK_RULES if labels for label in labels.split(";")}
    assert rules <= set(LABELS)
    assert set(AUDIOSET) == set(LABELS)
    assert LABELS[: len(SECURITY)] == SECURITY
    assert ours(["siren"]) == ["alarm", "siren"]


def test_synthetic_alarms_are_loud_enough_to_hear_and_do_not_clip_hard() -> None:
    for label, sound in synth.alarms(16):
        assert label in LABELS
        assert 0.005 < np.abs(sound).max() <= 1.0


def test_dev_takes_whole_recordings_and_leaves_every_label_to_training() -> None:
    pieces = [
        data.Piece(REPO, str(i), label, f"{label}{i // 3}", "train", 1, "real", "", 0, 1)
        for label in LABELS[:3] for i in range(60)
    ]  # fmt: skip
    dev = data.dev_groups(pieces)
    for label in LABELS[:3]:
        share = np.mean([p.group in dev for p in pieces if p.labels == label])
        assert 0.1 <= share <= 0.2


def test_the_manifest_in_use_holds_no_validation_item_and_no_listed_one_in_training() -> None:
    if not (data.BUILD / "manifest.csv").exists() or not (data.SHARED / "data/never_train.txt").exists():
        pytest.skip("build/hearing/manifest.csv or ../shared/data is missing (python -m models.hearing.data)")
    pieces, _ = data.load()
    never = read_never_train(data.SHARED / "data/never_train.txt")
    held = [p for p in pieces if p.split == "val"]
    used = [p for p in pieces if p.split in ("train", "dev")]
    assert not {p.group for p in held} & {p.group for p in used}
    bare = {(p.repo, p.clip.partition("@")[0]) for p in held}
    assert not bare & {(p.repo, p.clip.partition("@")[0]) for p in used}
    assert not [p.clip for p in used if hits(never, p.repo, p.clip)]
    assert not [p.clip for p in used if "fold10" in PurePosixPath(p.clip).parts]
    dev = {p.group for p in used if p.split == "dev"}
    assert not dev & {p.group for p in used if p.split == "train"}


def test_no_sound_of_training_equals_one_of_validation() -> None:
    if not (data.BUILD / "waves.npy").exists():
        pytest.skip("build/hearing/waves.npy is missing (python -m models.hearing.data)")
    pieces, waves = data.load()
    keys = {
        split: {content_key(waves[p.start : p.start + p.samples]) for p in pieces if (p.split == "val") == split}
        for split in (True, False)
    }
    assert not keys[True] & keys[False]
