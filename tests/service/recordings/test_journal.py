"""Recorded observations read back bit for bit."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.load import of_data
from agent.config.schema import Config
from agent.errors import SourceError, StoreError
from agent.scene import Policy
from agent.service.recordings import journal
from agent.types import Attention, Blind, Box, Detection, Fused, Heard, Observation, PictureStats, Score, Seen, Tick

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCORES = st.builds(Score, label=st.text(max_size=8), prob=FLOATS, llr=FLOATS)
SEEN = st.builds(
    lambda at_ns, score, values: Seen(
        camera="a",
        at_ns=at_ns,
        aspect_ratio=16 / 9,
        stats=PictureStats(
            brightness_frac=values[0],
            contrast_frac=values[1],
            sharpness_frac=values[2],
            moving_frac=values[3],
            grid=(0.1, values[0]),
        ),
        detections=(
            Detection(
                label="person",
                score_prob=values[0],
                box=Box(left_frac=0.1, top_frac=0.2, right_frac=0.3, bottom_frac=1 / 3),
                posture_probs=values[:3],
            ),
        ),
        scene=(score,),
        embedding=values,
        motion=values[:2],
    ),
    st.integers(0, 2**62),
    SCORES,
    st.tuples(FLOATS, FLOATS, FLOATS, FLOATS),
)
HEARD = st.builds(
    Heard,
    camera=st.text(max_size=8),
    start_ns=st.integers(0, 2**62),
    at_ns=st.integers(0, 2**62),
    level_dbfs=FLOATS,
    peak_dbfs=FLOATS,
    scores=st.tuples(SCORES),
    tone_bands=st.tuples(st.integers(-1, 63)),
    onset_ns=st.none() | st.integers(0, 2**62),
    gap_before=st.booleans(),
    drill=st.booleans(),
    embedding=st.tuples(FLOATS, FLOATS),
)
FUSED = st.builds(
    Fused,
    camera=st.text(max_size=8),
    at_ns=st.integers(0, 2**62),
    scores=st.tuples(SCORES),
    anomaly_prob=FLOATS,
    attention=st.tuples(st.builds(Attention, stream=st.just("people"), shares=st.tuples(FLOATS, FLOATS))),
)
OBSERVATIONS = st.one_of(
    SEEN,
    HEARD,
    FUSED,
    st.builds(Tick, at_ns=st.integers(0, 2**62)),
    st.builds(Blind, camera=st.just("a"), at_ns=st.integers(0), modality=st.just("vision"), reason=st.just("timeout")),
)


@given(OBSERVATIONS)
def test_an_observation_reads_back_as_it_was(observation: Observation) -> None:
    assert journal.decode(journal.encode(observation)) == observation


def test_a_still_picture_without_detections_stays_one() -> None:
    stats = PictureStats(brightness_frac=0.5, contrast_frac=0.1, sharpness_frac=0.1, moving_frac=0.0)
    still = Seen(camera="a", at_ns=1, aspect_ratio=1.5, stats=stats, detections=None)
    assert journal.decode(journal.encode(still)) == still


def test_a_folder_reads_back_in_order_and_a_line_cut_off_by_power_loss_is_left_out(tmp_path: Path) -> None:
    ticks = [Tick(at_ns=at_ns) for at_ns in range(5)]
    with journal.Journal(tmp_path / "rec", "[node]\n") as written:
        for tick in ticks:
            written.write(tick)
    path = tmp_path / "rec" / journal.OBSERVATIONS_FILE
    path.write_text(path.read_text()[:-4])
    assert journal.is_recording(tmp_path / "rec")
    assert list(journal.read(tmp_path / "rec")) == ticks[:-1]


def test_garbage_in_the_middle_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / journal.OBSERVATIONS_FILE).write_text('{"type":"tick","at_ns":1}\n{"type":"tock"}\n')
    with pytest.raises(SourceError, match="line 2"):
        list(journal.read(tmp_path))


GATE = {"polygon": [[0.1, 0.2], [0.9, 0.2], [0.5, 0.7]], "rules": ["intrusion", "loitering"], "loitering_dwell_s": 12.5}


@given(
    st.builds(
        lambda **policy: of_data({"policy": policy, "cameras": {"hall": {"url": "x", "zones": {"gate": GATE}}}}),
        armed=st.booleans(),
        sensitivity=st.sampled_from(["low", "normal", "high"]),
        disabled_kinds=st.lists(st.sampled_from(["fall", "fire"]), unique=True),
    )
)
def test_a_policy_reads_back_as_it_was(config: Config) -> None:
    policy = Policy.of(config)
    assert journal.decode(journal.encode_policy(policy)) == policy


def test_a_policy_stands_where_it_was_adopted_and_who_wants_observations_only_gets_those(tmp_path: Path) -> None:
    armed, disarmed = (Policy.of(of_data({"policy": {"armed": armed}})) for armed in (True, False))
    with journal.Journal(tmp_path, "") as written:
        written.adopted(armed)
        written.write(Tick(at_ns=1))
        written.adopted(disarmed)
        written.write(Tick(at_ns=2))
    assert list(journal.events(tmp_path)) == [armed, Tick(at_ns=1), disarmed, Tick(at_ns=2)]
    assert list(journal.read(tmp_path)) == [Tick(at_ns=1), Tick(at_ns=2)]


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / journal.OBSERVATIONS_FILE).symlink_to("/dev/full")
    kept = journal.Journal(tmp_path, "")
    for at_ns in range(2_000):  # more than is held back in memory
        kept.write(Tick(at_ns=at_ns))
    kept.adopted(Policy.of(Config()))
    kept.close()
    assert kept.fault == "No space left on device"
    assert len(caplog.records) == 1, "said once"


def test_a_disk_that_is_full_at_the_very_end_is_told_too(tmp_path: Path) -> None:
    (tmp_path / journal.OBSERVATIONS_FILE).symlink_to("/dev/full")
    with journal.Journal(tmp_path, "") as kept:
        kept.write(Tick(at_ns=1))
    assert kept.fault


def test_a_folder_that_cannot_be_made_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="nothing can be recorded"):
        journal.Journal(tmp_path / "file" / "record", "")
