"""Damages waveforms in the ways that cannot be done to mel pictures: echoes, clipping, real codecs.

`render` is called a few times per training clip and its mel pictures are cached.
"""

import io

import av
import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve, resample_poly

from agent.features.logmel import RATE_HZ

CODECS = {"pcm_mulaw": (8_000, None), "pcm_alaw": (8_000, None), "libopus": (16_000, 12_000), "aac": (16_000, 24_000)}
"""Codec → sampling rate in Hz and bits a second, as cheap cameras set them."""


def render(samples: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """One damaged copy of the same length: a room, perhaps clipping, perhaps a codec, perhaps another pitch."""
    sound = samples / (np.abs(samples).max() + 1e-6) * 0.7
    if rng.random() < 0.25:
        sound = _repitch(sound, rng)
    if rng.random() < 0.6:
        sound = _echo(sound, rng)
    if rng.random() < 0.35:
        sound = np.clip(sound * 10.0 ** (rng.uniform(0, 18) / 20.0), -0.7, 0.7)
    if rng.random() < 0.4:
        sound = through_codec(sound.astype(np.float32), str(rng.choice(list(CODECS), p=(0.35, 0.35, 0.15, 0.15))))
    return _fit(np.asarray(sound, np.float32), samples.size)


def _fit(sound: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    return np.pad(sound[:size], (0, max(0, size - sound.size)))


def _repitch(sound: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Played up to 15 % faster or slower."""
    return np.asarray(resample_poly(sound, int(rng.integers(86, 117)), 100), np.float32)


def _echo(sound: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Direct sound, a handful of early reflections, and a tail whose 60 dB take 0.1 to 1.5 s."""
    rt60_s = np.exp(rng.uniform(np.log(0.1), np.log(1.5)))
    count = int(min(rt60_s, 1.0) * RATE_HZ)
    response = rng.normal(size=count) * 10.0 ** (-3.0 * np.arange(count) / RATE_HZ / rt60_s)
    response *= 10.0 ** (rng.uniform(-25, -5) / 20.0) / np.sqrt((response**2).sum() + 1e-9)
    response[0] += 1.0
    for delay in rng.integers(16, int(0.05 * RATE_HZ), 5):
        if delay < count:
            response[delay] += rng.uniform(-0.5, 0.5)
    return np.asarray(fftconvolve(sound, response)[: sound.size + count // 4], np.float32)


def through_codec(sound: NDArray[np.float32], codec: str) -> NDArray[np.float32]:
    """Encode and decode mono 16 kHz sound with FFmpeg's `codec`; the result is 16 kHz again."""
    rate_hz, bits = CODECS[codec]
    box = "wav" if codec.startswith("pcm") else "matroska"
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=box) as out:
        stream = out.add_stream(codec, rate=rate_hz, layout="mono")
        if bits:
            stream.bit_rate = bits
        resampler = av.AudioResampler(format=stream.format or "s16", layout="mono", rate=rate_hz)
        frame = av.AudioFrame.from_ndarray((np.clip(sound, -1, 1) * 32767).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate = RATE_HZ
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    buffer.seek(0)
    return _decode(buffer)


def _decode(buffer: io.BytesIO) -> NDArray[np.float32]:
    with av.open(buffer) as source:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        parts = [f.to_ndarray().ravel() for frame in source.decode(audio=0) for f in resampler.resample(frame)]
        parts += [f.to_ndarray().ravel() for f in resampler.resample(None)]
    return np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)
