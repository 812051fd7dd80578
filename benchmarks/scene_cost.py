"""What the scene alone costs: tracker, behaviour, rules, ledger and incidents for ten people who walk about.

    python -m benchmarks.scene_cost

Ten people with jittering boxes at ten pictures a second for two minutes, in a zone with every rule, and a window of
sound each half second; processor time of `Scene.step` per analysed picture, one thread. The aim is 1 ms.

Below it what class-free standing change (`agent.features.standing`) costs per analysed picture, beside the statistics
that every picture is measured for anyway, and beside one look of `vision` at the size of the default configuration: a
ratio holds on a busy machine too. The aim is 0.3 ms where the statistics take 0.3.
"""

import math
import time
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from agent.config.load import of_data
from agent.config.schema import Zone
from agent.features.picture import Prepared, picture_stats
from agent.features.standing import StandingChange
from agent.scene import Policy, Scene
from agent.service.senses import Senses
from agent.types import NS_PER_S, Box, Detection, Heard, PictureStats, Score, Seen

PEOPLE, FPS, SECONDS = 10, 10, 120
AIM_MS = 1.0
LABELS = ("gunshot", "explosion", "glass_break", "scream", "alarm", "crash", "siren", "door_slam", "knock", "speech")


def observations() -> Iterator[Seen | Heard]:
    """Yield what is seen and heard, the same every time."""
    rng = np.random.default_rng(8)
    edges = tuple(np.random.default_rng(9).integers(-9, 10, 16 * 9 * 2).tolist())
    grid = tuple(0.45 + 0.2 * math.sin(0.9 * cell) for cell in range(48))
    for picture in range(FPS * SECONDS):
        at_s = picture / FPS
        at_ns = round(at_s * NS_PER_S)
        stats = PictureStats(
            brightness_frac=0.45, contrast_frac=0.2, sharpness_frac=0.05, moving_frac=0.05, grid=grid, edges=edges,
            differing_frac=0.5, noise_frac=0.6, stirred=2**48 - 1, detail_frac=0.3, colour_frac=0.1, even_frac=0.3,
        )  # fmt: skip
        people = tuple(_person(rng, number, at_s) for number in range(PEOPLE))
        yield Seen(camera="yard", at_ns=at_ns, aspect_ratio=16 / 9, stats=stats, detections=people)
        if picture % (FPS // 2) == 0:
            scores = tuple(Score(label=label, prob=0.01, llr=float(rng.normal(-3, 1))) for label in LABELS)
            yield Heard(
                camera="yard", start_ns=at_ns - 2 * NS_PER_S, at_ns=at_ns, level_dbfs=-50.0, peak_dbfs=-35.0,
                scores=scores, tone_bands=(-1,) * 25,
            )  # fmt: skip


def _person(rng: np.random.Generator, number: int, at_s: float) -> Detection:
    x = 0.5 + 0.4 * math.sin(0.1 * at_s + 2.4 * number)
    foot = 0.5 + 0.05 * number
    height = 0.15 + 0.02 * number
    left, top = x - 0.1 * height + rng.normal(0, 0.002), foot - height + rng.normal(0, 0.002)
    box = Box(left_frac=left, top_frac=top, right_frac=left + 0.22 * height, bottom_frac=foot)
    return Detection(label="person", score_prob=float(rng.uniform(0.5, 0.9)), box=box)


def standing_ms() -> tuple[float, float]:
    """Milliseconds a picture of standing change and of the picture's statistics, 320 × 180, a thing left at 20 s."""
    rng = np.random.default_rng(1)
    place = np.kron(rng.integers(30, 220, (18, 32, 3)), np.ones((10, 10, 1)))
    left = place.copy()
    left[100:130, 100:140] = (200, 30, 30)
    noise = rng.normal(0.0, 3.0, (8, *place.shape))
    empty, full = (np.clip(each + noise, 0, 255).astype(np.uint8) for each in (place, left))
    shown = [(empty if picture < 20 * FPS else full)[picture % 8] for picture in range(60 * FPS)]
    change = StandingChange()
    begun_s = time.process_time()
    for picture, each in enumerate(shown):
        change.see(each, picture * NS_PER_S // FPS, ())
    between_s = time.process_time()
    for before, each in pairwise(map(Prepared.of, shown)):
        picture_stats(each, before)
    ended_s = time.process_time()
    return (between_s - begun_s) / len(shown) * 1e3, (ended_s - between_s) / len(shown) * 1e3


def vision_ms(looks: int = 40) -> float:
    """Processor milliseconds of one look of the shipped `vision` as the default configuration runs it."""
    senses = Senses.load(of_data({}, ()))
    analysis = senses.config.analysis
    shape = analysis.height_px, analysis.width_px, 3
    pictures = np.random.default_rng(2).integers(0, 255, (4, *shape), dtype=np.uint8)
    senses.vision.look(pictures[0])
    begun_s = time.process_time()
    for number in range(looks):
        senses.vision.look(pictures[number % 4])
    return (time.process_time() - begun_s) / looks * 1e3


def main() -> None:
    """Run from the command line."""
    zone = Zone(polygon=((0.0, 0.4), (1.0, 0.4), (1.0, 1.0), (0.0, 1.0)), rules=("intrusion", "loitering"))
    scene = Scene(Policy(zones={"yard": {"all": zone}}))
    stream = list(observations())
    begun_s = time.process_time()
    for observation in stream:
        scene.step(observation)
    pictures = sum(isinstance(observation, Seen) for observation in stream)
    ms = (time.process_time() - begun_s) * 1e3 / pictures
    print("| people | pictures | ms per picture | aim |\n|---|---|---|---|")
    print(f"| {PEOPLE} | {pictures} | {ms:.2f} | ≤ {AIM_MS:.0f} |")
    standing, statistics = standing_ms()
    vision = vision_ms()
    print("\n| | ms per picture | of the statistics' | of vision's |\n|---|---|---|---|")
    print(f"| class-free standing change | {standing:.2f} | {standing / statistics:.2f} | {standing / vision:.3f} |")
    print(f"| statistics of a picture | {statistics:.2f} | 1 | {statistics / vision:.3f} |")
    print(f"| one look of vision | {vision:.2f} | {vision / statistics:.0f} | 1 |")


if __name__ == "__main__":
    main()
