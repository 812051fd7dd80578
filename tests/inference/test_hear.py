"""The listener: one answer per half second, to the last sample, whatever the blocks look like."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config.schema import Models
from agent.inference.card import load_card
from agent.inference.device import TRUSTED
from agent.inference.hear import Listener
from agent.inference.hearing import HearingModel
from agent.types import Heard, SoundBlock
from tests.inference import tiny
from tests.inference.machines import GPU, dying_after, machine

RATE = 16_000
NS = 1_000_000_000


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> HearingModel:
    folder = tmp_path_factory.mktemp("zoo")
    tiny.save_hearing_card(folder)
    return HearingModel(load_card("hearing", folder), Models(), machine({}))


def noise(seconds: float, sigma: float = 0.01, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, round(seconds * RATE)).astype(np.float32)


def heard_of(model: HearingModel, samples: np.ndarray, block: int = 1600, start_ns: int = 0) -> list[Heard]:
    listener, out = Listener(model), []
    for first in range(0, len(samples), block):
        part = samples[first : first + block]
        out += listener.hear(SoundBlock(camera="yard", at_ns=start_ns + first * 62_500, samples=part))
    return [*out, *listener.finish()]


@pytest.mark.parametrize(("seconds", "answers"), [(0.0001, 1), (0.4999, 1), (0.5, 1), (0.5001, 2), (3.0, 6), (3.2, 7)])
def test_every_half_second_begun_gives_one_answer(model, seconds, answers):
    heard = heard_of(model, noise(seconds))
    assert len(heard) == answers
    assert heard[-1].at_ns == round(seconds * RATE) * 62_500


def test_windows_are_two_seconds_and_never_begin_before_the_sound(model):
    heard = heard_of(model, noise(3.0), start_ns=7 * NS)
    assert [one.start_ns for one in heard[:4]] == [7 * NS] * 4
    assert heard[5].at_ns - heard[5].start_ns == 32_240 * 62_500


@settings(max_examples=15, deadline=None)
@given(block=st.integers(1, 20_000))
def test_the_size_of_the_blocks_changes_nothing(model, block):
    samples = noise(1.7)
    assert heard_of(model, samples, block=max(block, 40)) == heard_of(model, samples, block=len(samples))


def test_silence_answers_every_half_second_and_always_the_same(model):
    heard = heard_of(model, np.zeros(5 * RATE, np.float32))
    assert len(heard) == 10
    assert {one.scores for one in heard} == {model.silence()}
    assert all(one.tone_bands == (-1,) * 25 and one.onset_ns is None for one in heard)
    assert heard[0].level_dbfs == -120.0


def test_level_and_peak_are_of_the_newest_half_second(model):
    samples = np.concatenate([noise(0.5, 0.1), noise(0.5, 0.001)])
    loud, quiet = heard_of(model, samples)
    assert loud.level_dbfs == pytest.approx(-20, abs=0.5)
    assert quiet.level_dbfs == pytest.approx(-60, abs=0.5)
    assert quiet.peak_dbfs > quiet.level_dbfs


def test_a_bang_is_told_once_at_the_time_it_happened(model):
    samples = noise(3.0, 0.001)
    samples[27_200:28_000] += noise(0.05, 0.3, 1)  # at 1.7 s
    onsets = [one.onset_ns for one in heard_of(model, samples, start_ns=10 * NS)]
    assert [onset is not None for onset in onsets] == [False, False, False, True, False, False]
    assert onsets[3] == pytest.approx(11.7 * NS, abs=0.011 * NS)


def test_a_bang_on_the_first_sample_of_a_step_is_told_in_that_step(model):
    samples = noise(2.0, 0.001)
    samples[16_000:16_800] += noise(0.05, 0.3, 1)
    onsets = [one.onset_ns for one in heard_of(model, samples)]
    assert [onset is not None for onset in onsets] == [False, False, True, False]


def test_a_bang_that_rises_across_the_border_of_two_steps_is_told_once(model):
    samples = noise(2.0, 0.0005)
    samples[15_840:16_000] += noise(0.01, 0.01, 1)
    samples[16_000:16_800] += noise(0.05, 0.4, 2)
    onsets = [one.onset_ns for one in heard_of(model, samples)]
    assert onsets == [None, round(0.99 * NS), None, None]


def test_a_stream_that_begins_loud_has_no_onset(model):
    assert [one.onset_ns for one in heard_of(model, noise(2.0, 0.1))] == [None] * 4


def test_tone_bands_join_up_to_one_line_in_time(model):
    t = np.arange(4 * RATE) / RATE
    beeps = (0.1 * np.sin(2 * np.pi * 3100 * t) * (t % 1.0 < 0.5)).astype(np.float32) + noise(4.0, 0.0003)
    bands = np.array([band for one in heard_of(model, beeps) for band in one.tone_bands])
    assert len(bands) == 200
    middle = (np.arange(200) + 0.6) * 0.02 % 0.5
    clear = (middle > 0.04) & (middle < 0.46)
    sounds = (np.arange(200) + 0.6) * 0.02 % 1.0 < 0.5
    assert ((bands >= 0) == sounds)[clear].all()


def test_tone_bands_of_an_unfinished_step_end_where_the_sound_ends(model):
    t = np.arange(round(1.2 * RATE)) / RATE
    *_, last = heard_of(model, (0.1 * np.sin(2 * np.pi * 3100 * t)).astype(np.float32))
    assert len(last.tone_bands) == 10
    assert min(last.tone_bands[:9]) > 0


def test_a_gap_is_marked_and_sound_before_and_after_it_is_not_joined(model):
    listener = Listener(model)
    before = [*listener.hear(SoundBlock(camera="yard", at_ns=0, samples=noise(0.7)))]
    after = [*listener.hear(SoundBlock(camera="yard", at_ns=9 * NS, samples=noise(0.5), gap_before=True))]
    assert [one.at_ns for one in before] == [NS // 2]
    assert [(one.at_ns, one.gap_before) for one in after] == [(7 * NS // 10, False), (19 * NS // 2, True)]
    assert after[1].start_ns == 9 * NS


def test_a_device_that_dies_between_two_steps_costs_no_answer(tmp_path):
    tiny.save_hearing_card(tmp_path)
    here = machine({GPU: dying_after(6 + 2)})
    shared = HearingModel(load_card("hearing", tmp_path), Models(), here)
    heard = heard_of(shared, noise(3.0))
    assert len(heard) == 6
    assert (shared.chosen[0].place, shared.chosen[0].degraded) == (TRUSTED, True)


def between_of(model: HearingModel, samples: np.ndarray, block: int = 1600) -> list[Heard]:
    listener, out = Listener(model, again_s=(0.1, 0.4, 0.7)), []
    for first in range(0, len(samples), block):
        part = samples[first : first + block]
        out += listener.hear(SoundBlock(camera="yard", at_ns=first * 62_500, samples=part))
    return [*out, *listener.finish()]


def banging(at_s: float, seconds: float = 4.0) -> np.ndarray:
    samples = noise(seconds, 0.001)
    first = round(at_s * RATE)
    samples[first : first + 800] += noise(0.05, 0.3, 1)
    return samples


def test_an_onset_is_listened_to_again_soon_and_the_steps_stay_as_they_were(model):
    heard = between_of(model, banging(1.62))
    looks = [one for one in heard if one.between]
    assert [round(one.at_ns / NS, 3) for one in looks] == [1.8, 2.1, 2.4]
    assert {round(one.onset_ns / NS, 2) for one in looks} == {1.62}
    assert [one for one in heard if not one.between] == heard_of(model, banging(1.62))
    assert [one.at_ns for one in heard] == sorted(one.at_ns for one in heard)


def test_a_step_just_when_a_look_is_due_is_the_look(model):
    looks = [one.at_ns / NS for one in between_of(model, banging(1.33)) if one.between]
    assert looks == [pytest.approx(1.8), pytest.approx(2.1)]


def test_without_an_onset_nobody_listens_between_steps(model):
    assert not any(one.between for one in between_of(model, noise(3.0, 0.01)))


@settings(max_examples=10, deadline=None)
@given(block=st.integers(40, 20_000))
def test_the_size_of_the_blocks_changes_no_look_between_steps(model, block):
    samples = banging(0.87, 2.0)
    assert between_of(model, samples, block=block) == between_of(model, samples, block=len(samples))


def test_after_the_end_of_what_is_short_it_is_listened_to_as_if_silence_followed(model):
    samples = banging(0.87, 1.2)
    listener = Listener(model, after_end_s=(0.4, 1.2))
    out = [*listener.hear(SoundBlock(camera="yard", at_ns=0, samples=samples)), *listener.finish()]
    steps, looks = out[:-2], out[-2:]
    assert steps == heard_of(model, samples)
    assert [one.between for one in looks] == [True, True]
    assert {round(one.onset_ns / NS, 2) for one in looks} == {0.87}
    assert {one.at_ns for one in looks} == {steps[-1].at_ns}
    assert [one.start_ns / NS for one in looks] == [0.0, pytest.approx(1.2 + 1.2 - 2.015)]
    assert looks[0].peak_dbfs == pytest.approx(max(one.peak_dbfs for one in steps))
    lasting = Listener(model, after_end_s=(0.4,))
    block = SoundBlock(camera="yard", at_ns=0, samples=banging(0.87, 2.1))
    assert not any(one.between for one in [*lasting.hear(block), *lasting.finish()])
    quiet = Listener(model, after_end_s=(0.4,))
    silent = SoundBlock(camera="yard", at_ns=0, samples=np.zeros(8_000, np.float32))
    assert not any(one.between for one in [*quiet.hear(silent), *quiet.finish()])
