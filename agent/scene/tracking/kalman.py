"""A constant-velocity Kalman filter for many boxes at once, with time in seconds.

A box is (centre x, centre y, width, height). Its four coordinates do not influence each other, so the usual
8 × 8 covariance falls apart into four 2 × 2 ones, and the whole update is a handful of array operations for
all tracks. Every noise grows with the height of the box: a person close by moves further in the picture.

States are kept column by column in memory (Fortran's order): numpy then takes each of the five parts in one go.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Columns of the state array, four by four: position, velocity, and the three numbers of each covariance.
POSITION, VELOCITY, VAR_POSITION, COVARIANCE, VAR_VELOCITY = (slice(4 * i, 4 * i + 4) for i in range(5))
COLUMNS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How boxes move and how detectors err, in parts of the box's height.

    Tuned on the first halves of MOT17-02, -09 and -11 (`python -m benchmarks.tracking_search`).
    """

    measurement: float = 0.05  # of one detection, standard deviation
    drift_per_sqrt_s: float = 0.104  # of the position beside its velocity: gait, jumps of the camera
    acceleration: float = 0.155  # heights per second and square root of a second: change of velocity
    birth_velocity: float = 1.104  # heights per second: what a new track may already be doing


def born(measured: Floats, noise: Noise) -> Floats:
    """State [n, 20] of tracks seen once, `measured` [n, 4]."""
    state = np.zeros((len(measured), COLUMNS), order="F")
    height = measured[:, 3:4]
    state[:, POSITION] = measured
    state[:, VAR_POSITION] = (noise.measurement * height) ** 2
    state[:, VAR_VELOCITY] = (noise.birth_velocity * height) ** 2
    return state


def predict(state: Floats, dt_s: float, noise: Noise) -> None:
    """Move `state` [n, 20] on by `dt_s`, in place."""
    position, velocity, var_position, covariance, var_velocity = (
        state[:, part] for part in (POSITION, VELOCITY, VAR_POSITION, COVARIANCE, VAR_VELOCITY)
    )
    height2 = np.square(state[:, 3:4])
    change = (noise.acceleration**2 * dt_s) * height2
    position += dt_s * velocity
    var_position += dt_s * (2.0 * covariance + dt_s * var_velocity)
    var_position += (dt_s * dt_s / 3.0) * change + (noise.drift_per_sqrt_s**2 * dt_s) * height2
    covariance += dt_s * var_velocity + (dt_s / 2.0) * change
    var_velocity += change


def update(state: Floats, measured: Floats, noise: Noise) -> Floats:
    """The state [n, 20] after `measured` [n, 4]."""
    before = state.T.reshape(5, 4, len(state))
    total = before[2] + (noise.measurement * state[:, 3]) ** 2
    gains = before[2:4] / total  # of the position, and of the velocity
    after = np.empty_like(before)
    np.multiply(gains, measured.T - before[0], out=after[:2])
    after[:2] += before[:2]
    np.multiply(1.0 - gains[0], before[2:4], out=after[2:4])
    np.subtract(before[4], gains[1] * before[3], out=after[4])
    return after.reshape(COLUMNS, len(state)).T


def velocity_gain(state: Floats, noise: Noise) -> Floats:
    """How much [n, 4] of a surprise in position `update` adds to the velocity, per second."""
    total = state[:, VAR_POSITION] + (noise.measurement * state[:, 3:4]) ** 2
    return np.asarray(state[:, COVARIANCE] / total, np.float64)
