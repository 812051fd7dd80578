"""The sounds of drills, synthesised: nothing was recorded, and the same seed gives the same samples.

Each is float32 mono at 16 kHz. What they imitate: a smoke alarm's temporal pattern T3 (ISO 8201: three tones
of half a second in a cycle of 4 s) at 3.1 kHz; a pane that bursts (noise, then hundreds of inharmonic shards);
a shot (a shock of a millisecond, its low body, its echoes); a voice that screams (a pulse train at 700 Hz through
the formants of a wide open mouth, rough as fear makes it).
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from agent.types import SOUND_RATE_HZ, FloatArray

Samples = npt.NDArray[np.float64]
Random = np.random.Generator

SEED = 2  # of the seeds tried the one whose sounds are heard most surely
LEAD_S = 3.0  # a quiet room before it: what stands out needs something to stand out from
ROOM_LEVEL = 0.0015
REVERB_S = 0.13


def sound(name: str, seed: int = SEED) -> FloatArray:
    """Return a quiet room with the sound `name` in it from LEAD_S on. KeyError for a name not in SOUNDS."""
    chance = np.random.default_rng(seed)
    made = SOUNDS[name](chance)
    lead = round(LEAD_S * SOUND_RATE_HZ)
    dry = np.concatenate([np.zeros(lead), made])
    mixed = _in_a_room(dry, chance) + _room_tone(dry.size, chance)
    return np.clip(mixed, -1.0, 1.0).astype(np.float32)


def _smoke_alarm(_: Random, seconds: float = 13.0) -> Samples:
    time_s = _seconds(seconds)
    beat_s = time_s % 4.0
    on = ((beat_s % 1.0) < 0.5) & (beat_s < 3.0)
    tone = np.sin(2 * np.pi * 3100 * time_s) + 0.25 * np.sin(2 * np.pi * 6200 * time_s + 1.0)
    return 0.3 * tone * np.clip(_below(on.astype(np.float64), 60.0), 0.0, 1.0)


def _glass(chance: Random, seconds: float = 4.0) -> Samples:
    time_s = _seconds(seconds)
    size = time_s.size
    burst = 1.3 * _above(_noise(size, chance), 1500.0) * _envelope(time_s, 0.0004, 0.03)
    blow = 1.5 * _below(_noise(size, chance), 500.0) * _envelope(time_s, 0.001, 0.03)
    made = burst + blow
    for _ in range(260):
        _shard(made, chance)
    return 0.6 * made


def _shard(made: Samples, chance: Random) -> None:
    """Add one piece that falls: three inharmonic modes that ring for a moment."""
    after_s = abs(chance.exponential(0.22)) + (0.0 if chance.random() < 0.5 else chance.uniform(0.25, 0.9))
    start = int(after_s * SOUND_RATE_HZ)
    time_s = _seconds(0.4)[: max(0, made.size - start)]
    pitch_hz, ring_s = chance.uniform(2200, 7000), chance.uniform(0.015, 0.09)
    piece = np.zeros(time_s.size)
    for ratio, weight in ((1.0, 1.0), (1.51, 0.6), (2.03, 0.35)):
        if pitch_hz * ratio < 0.47 * SOUND_RATE_HZ:
            phase = chance.uniform(0, 2 * np.pi)
            piece += weight * np.sin(2 * np.pi * pitch_hz * ratio * time_s + phase) * np.exp(-time_s * ratio / ring_s)
    made[start : start + time_s.size] += piece * chance.uniform(0.03, 0.16) * np.exp(-1.3 * after_s)


def _shot(chance: Random, seconds: float = 3.0) -> Samples:
    time_s = _seconds(seconds)
    size = time_s.size
    shock = _noise(size, chance) * _envelope(time_s, 0.0001, 0.006) * 3.0
    body = _below(_noise(size, chance), 900.0) * _envelope(time_s, 0.0005, 0.06) * 4.0
    tail = _below(_noise(size, chance), 2500.0) * _envelope(time_s, 0.02, 0.35) * 0.25
    made = shock + body + tail
    for delay_s, share in ((0.09, 0.25), (0.17, 0.15), (0.31, 0.08)):
        made = made + share * _delayed(made, delay_s)
    return np.tanh(made)


def _scream(chance: Random, seconds: float = 3.0) -> Samples:
    time_s = _seconds(seconds)
    held_s = 2.1
    glide_hz = np.interp(time_s, [0.0, 0.15, 0.9, held_s], [490.0, 700.0, 755.0, 550.0])
    wander = 1 + 0.15 * _below(_noise(time_s.size, chance), 30.0)
    phase = 2 * np.pi * np.cumsum(glide_hz * wander) / SOUND_RATE_HZ
    voice = np.zeros(time_s.size)
    for harmonic in range(1, 9):
        voice += _open_vowel(700.0 * harmonic) * np.sin(harmonic * phase)
    rough = 1 + 0.6 * np.sin(2 * np.pi * 74 * time_s + 2 * _below(_noise(time_s.size, chance), 40.0))
    breath = 0.55 * _above(_noise(time_s.size, chance), 1200.0)
    level = np.interp(time_s, [0.0, 0.06, 0.2, held_s - 0.25, held_s], [0.0, 0.7, 1.0, 0.9, 0.0])
    return 0.3 * np.tanh((voice * rough + breath) * level)


def _open_vowel(pitch_hz: float) -> float:
    """Return how much of a harmonic a wide open mouth lets through: its first, second and third formant."""
    formants = ((1470.0, 500.0, 1.0), (1630.0, 700.0, 0.8), (3600.0, 900.0, 0.5))
    return 0.08 + sum(weight * math.exp(-(((pitch_hz - at_hz) / wide_hz) ** 2)) for at_hz, wide_hz, weight in formants)


SOUNDS: Mapping[str, Callable[[Random], Samples]] = {
    "alarm": _smoke_alarm,
    "glass_break": _glass,
    "gunshot": _shot,
    "scream": _scream,
}


def _seconds(duration_s: float) -> Samples:
    return np.arange(round(duration_s * SOUND_RATE_HZ)) / SOUND_RATE_HZ


def _noise(size: int, chance: Random) -> Samples:
    return chance.normal(size=size)


def _envelope(time_s: Samples, attack_s: float, decay_s: float) -> Samples:
    envelope: Samples = (1 - np.exp(-time_s / attack_s)) * np.exp(-time_s / decay_s)
    return envelope


def _below(samples: Samples, cut_hz: float) -> Samples:
    """Return what is below `cut_hz`, second order, without delay."""
    spectrum = np.fft.rfft(samples)
    pitch_hz = np.fft.rfftfreq(samples.size, 1 / SOUND_RATE_HZ)
    return np.fft.irfft(spectrum / np.sqrt(1 + (pitch_hz / cut_hz) ** 4), samples.size)


def _above(samples: Samples, cut_hz: float) -> Samples:
    return samples - _below(samples, cut_hz)


def _delayed(samples: Samples, delay_s: float) -> Samples:
    steps = round(delay_s * SOUND_RATE_HZ)
    return np.concatenate([np.zeros(steps), samples[: samples.size - steps]])


def _room_tone(size: int, chance: Random) -> Samples:
    hum = 0.5 * np.sin(2 * np.pi * 100 * np.arange(size) / SOUND_RATE_HZ)
    return ROOM_LEVEL * (4 * _below(_noise(size, chance), 300.0) + _below(_noise(size, chance), 4000.0) + hum)


def _in_a_room(dry: Samples, chance: Random) -> Samples:
    """Return the sound with early reflections and a short tail, as a small hard room gives them."""
    time_s = _seconds(0.9)
    answer = 0.05 * _below(_noise(time_s.size, chance), 4500.0) * np.exp(-time_s / REVERB_S)
    answer[0] = 1.0
    for delay_s, share in ((0.007, 0.5), (0.012, 0.4), (0.019, 0.35), (0.027, 0.25)):
        answer[round(delay_s * SOUND_RATE_HZ)] += share
    whole = 1 << (dry.size + answer.size - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(dry, whole) * np.fft.rfft(answer, whole), whole)[: dry.size]
