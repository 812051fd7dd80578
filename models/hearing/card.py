"""Puts the sound model's card together: what it is, what it was made from, what it is not for."""

from collections import defaultdict

from agent.features.logmel import RATE_HZ
from models.hearing.data import Piece
from models.hearing.labels import GROUPS, LABELS

INTENDED = (
    "Notice gunshots, explosions, breaking glass, screams, alarms and crashes within about 2 s in the sound of "
    "a surveillance camera or microphone, as evidence that a scene model and a person weigh; its embedding "
    "feeds the fusion model and site-specific heads."
)
NOT_FOR = (
    "Not proof that a shot was fired or a person is in danger; not for calling armed force without a person's "
    "check; not for recognising people or words; not a replacement for certified smoke, gas or burglar alarms."
)
LIMITS = (
    "Nobody listened to the training clips. Explosion, crash, thunder and fireworks rest on game sound packs; "
    "glass on about two dozen recordings; T3, T4, most smoke and clock alarms on synthesised sounds. Gunshot "
    "and explosion are easily taken for each other. Distant, quiet or heavily masked sounds are missed. "
    "Several sources are licensed for research only (see training.data): these weights inherit the question."
)
TEACHERS = [
    {"name": "mn04_as", "licence": "MIT", "source": "EfficientAT (fschmid56/EfficientAT), AudioSet mAP 0.432"},
    {"name": "YAMNet", "licence": "Apache-2.0", "source": "TensorFlow Models, as TFLite"},
]


def sources(pieces: list[Piece], splits: tuple[str, ...] = ("train", "dev")) -> list[dict[str, object]]:
    """What was trained on, by repository and licence."""
    held: dict[tuple[str, str], list[int]] = defaultdict(list)
    for piece in pieces:
        if piece.split in splits:
            held[piece.repo, piece.licence].append(piece.samples)
    return [
        {"source": repo, "licence": licence, "clips": len(lengths), "hours": round(sum(lengths) / RATE_HZ / 3600, 3)}
        for (repo, licence), lengths in sorted(held.items())
    ]


def write(
    version: str,
    feature_version: str,
    files: list[dict[str, object]],
    calibration: dict[str, dict[str, float]],
    thresholds: dict[str, dict[str, object]],
    training: dict[str, object],
    pieces: list[Piece],
) -> dict[str, object]:
    """The card as a JSON object (schema vedette.card/1), without figures: `evaluate --card` adds them."""
    return {
        "schema": "vedette.card/1",
        "name": "hearing",
        "version": version,
        "feature_version": feature_version,
        "files": files,
        "labels": list(LABELS),
        "groups": GROUPS,
        "calibration": calibration,
        "thresholds": thresholds,
        "training": {**training, "teachers": TEACHERS, "data": sources(pieces)},
        "figures": [],
        "intended_use": INTENDED,
        "not_for": NOT_FOR,
        "limits": LIMITS,
    }
