"""One happening, one incident: recordings joined end to end at known places, rendered scenes, and one bang for three.

    python -m benchmarks.continuous                  val clips, rendered scenes, three cameras
    python -m benchmarks.continuous --split train    the clips that may be tuned on
    python -m benchmarks.continuous --only bangs     one part: joined, rendered or bangs

Joined: the longest clip of each group of fights, every fall and every fire, the kinds by turns, eight to a film, with
at least 10 s of calm clips before each and 45 s after the last, which is longer than any kind waits for its quiet
(there are fewer calm clips than gaps, so they come more than once). Every film is played as `vedette replay
--continuous` plays it: one scene, one camera, default settings. Scored as i-LIDS does: an incident of the kind that
opens within 10 s of the event's start finds it, once. What opens later while it lasts is told as late, a second one in
the same happening as repeated (but not what the second absorbs: smoke that becomes a fire is one), one outside of all
as false, and one that nothing but the end of the film closes as left open. A cut from one camera to another is, to a
camera, a blow: what sensor integrity says there is told apart.

Going on: the same films, but fights that are shorter are played to and fro for ten seconds (without their sound). Half
of the fights of the clips last two seconds, and are over before a camera that has been running may be sure.

Rendered: the clips of `python -m models.scenes render all` whose events have a time (without them, those that come
along, agent/service/clips), 45 s of calm behind each. Bangs: val sounds of gunshots, explosions and breaking glass,
heard by three cameras of one node at different loudness and with different delays.

What a film or a bang told is kept below build/continuous under the code's and the models' sha256: a run that is stopped
goes on where it was.
"""

import argparse
import hashlib
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from heapq import merge
from itertools import zip_longest
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.capture.source import SourceSpec, open_media
from agent.config.load import of_data
from agent.scene import Policy, Scene
from agent.service.observe import observations
from agent.service.recordings.replay import Outputs, ReplayScene, Settings
from agent.service.senses import Senses
from agent.service.stepping import step_with_fusion
from agent.types import NS_PER_S, Blind, Observation, Seen
from benchmarks.clips import EARLY_S, EVENT_KINDS, IN_TIME_S, SHARED, Clip, clips_of
from benchmarks.delays import CLIPS, events_of
from benchmarks.hours import code_sha, observed, provenance
from models.fusion.to_and_fro import LONG_S, ToAndFro

KEPT = Path(__file__).resolve().parents[1] / "build" / "continuous"
RENDERED = Path(__file__).resolve().parents[1] / "build" / "scenes"
"""Where `python -m models.scenes render all` puts clips and what happens in them."""
GAP_S, TAIL_S, EVENTS_A_FILM, SEED = 10.0, 45.0, 8, 11
JOINED = ("fight", "fall", "fire")
"""Labels of the clips that are joined: each asks for the kinds of its own."""
DELAYS_S: Mapping[str, tuple[float, float, float]] = {
    "10, 30 and 90 ms": (0.01, 0.03, 0.09),  # 3, 10 and 30 m of air
    "0, 150 and 400 ms": (0.0, 0.15, 0.4),  # and what networks add
}
GAINS = (1.0, 0.5, 0.25)
BANGS = ("gunshot", "explosion", "glass_break")

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Happening:
    """What is known to happen in a film, from when to when, and which kinds of incident it asks for."""

    start_s: float
    end_s: float
    kinds: frozenset[str]

    def holds(self, at_s: float) -> bool:
        """Whether an incident that opened at `at_s` belongs to it."""
        return self.start_s - EARLY_S <= at_s <= max(self.end_s, self.start_s + IN_TIME_S)


@dataclass(slots=True)
class Told:
    """One incident of a film."""

    kind: str
    opened_s: float
    closed_s: float | None = None
    reason: str | None = None


@dataclass(slots=True)
class Film:
    """Sources in a row: what happens where (from the beginning of each source), and what was told."""

    sources: list[tuple[Path, tuple[Happening, ...]]] = field(default_factory=list)
    starts_s: list[float] = field(default_factory=list)
    seconds: float = 0.0
    told: list[Told] = field(default_factory=list)
    long: frozenset[Path] = frozenset()  # what is played to and fro

    @property
    def happenings(self) -> list[Happening]:
        """What happens in the whole film, in its own time."""
        return [
            Happening(start_s + one.start_s, start_s + one.end_s, one.kinds)
            for start_s, (_, happenings) in zip(self.starts_s, self.sources, strict=True)
            for one in happenings
        ]


@dataclass(slots=True)
class Score:
    """What became of the happenings that ask for some kinds."""

    asked: int = 0
    in_time: int = 0
    late: int = 0
    incidents: list[int] = field(default_factory=list)  # of each happening that has any
    false: int = 0
    left_open: int = 0

    @property
    def repeated(self) -> int:
        return sum(count > 1 for count in self.incidents)

    def add(self, film: Film, kinds: frozenset[str]) -> None:
        """Count one film."""
        wanted = [one for one in film.happenings if one.kinds & kinds]
        told = [one for one in film.told if one.kind in kinds and one.reason != "absorbed"]
        for happening in wanted:
            mine = [one for one in told if happening.holds(one.opened_s)]
            self.asked += 1
            if mine:
                self.incidents.append(len(mine))
                hit = min(one.opened_s for one in mine) <= happening.start_s + IN_TIME_S
                self.in_time += hit
                self.late += not hit
        self.false += sum(not any(one.holds(incident.opened_s) for one in wanted) for incident in told)
        self.left_open += sum(one.reason in (None, "source_ended") for one in told)


def happenings_of(clip: Clip) -> tuple[Happening, ...]:
    """What happens in a labelled clip: a fall and the lying after it are one; without times, the whole clip."""
    spans = [(start, end) for start, end, _ in clip.events] or [(0.0, clip.duration_s)]
    return (Happening(min(start for start, _ in spans), max(end for _, end in spans), clip.wanted),)


def films_of(clips: Sequence[Clip]) -> list[Film]:
    """Join event clips, kinds by turns, with calm ones between them and after them."""
    chance = random.Random(SEED)
    calm = [clip for clip in clips if clip.labels[0] == "normal"]
    chance.shuffle(calm)
    events = {label: [clip for clip in clips if clip.labels[0] == label] for label in JOINED}
    by_length = sorted(events["fight"], key=lambda clip: clip.duration_s)
    events["fight"] = list({clip.group: clip for clip in by_length}.values())
    for members in events.values():
        chance.shuffle(members)
    others = [*events["fall"], *events["fire"]]
    chance.shuffle(others)
    turns = [clip for pair in zip_longest(events["fight"], others) for clip in pair if clip is not None]
    between = _round_and_round(calm)
    films = []
    for at in range(0, len(turns), EVENTS_A_FILM):
        film = Film()
        for clip in turns[at : at + EVENTS_A_FILM]:
            film.sources += [(path, ()) for path in _at_least(between, GAP_S)]
            film.sources.append((Path(clip.path), happenings_of(clip)))
        film.sources += [(path, ()) for path in _at_least(between, TAIL_S)]
        films.append(film)
    return films


def going_on(films: Sequence[Film], clips: Sequence[Clip]) -> list[Film]:
    """The same films, in which the fights of clips below ten seconds are played to and fro for ten."""
    short = {Path(clip.path) for clip in clips if clip.labels[0] == "fight" and clip.duration_s < LONG_S}
    whole = (Happening(0.0, LONG_S, frozenset({"fight"})),)
    return [
        Film([(path, whole if path in short and told else told) for path, told in film.sources], long=frozenset(short))
        for film in films
    ]


def rendered_films(calm: Sequence[Clip], folder: Path) -> list[Film]:
    """A film of each rendered clip whose events are known, with calm behind it."""
    between = _round_and_round(calm)
    films = []
    for path in sorted(path for path in folder.glob("*.mp4") if events_of(path)):
        with open_media(SourceSpec(camera="replay", url=str(path))) as media:
            length_s = media.info.duration_s or 0.0
        happenings = tuple(Happening(at_s, length_s, frozenset({kind})) for kind, at_s in events_of(path).items())
        films.append(Film([(path, happenings), *((calm_path, ()) for calm_path in _at_least(between, TAIL_S))]))
    return films


def _round_and_round(clips: Sequence[Clip]) -> Iterator[Clip]:
    while clips:
        yield from clips


def _at_least(clips: Iterator[Clip], seconds: float) -> Iterator[Path]:
    while seconds > 0:
        clip = next(clips)
        seconds -= clip.duration_s
        yield Path(clip.path)


def played(film: Film, senses: Senses) -> Film:
    """Play a film, or take what it told with this code and these models before."""
    names = (f"{path.name}{' long' * (path in film.long)}" for path, _ in film.sources)
    key = hashlib.sha256("\0".join([code_sha(), *names]).encode()).hexdigest()
    kept = KEPT / f"{key[:24]}.json"
    if not kept.is_file():
        _play(film, senses)
        kept.parent.mkdir(parents=True, exist_ok=True)
        told = [asdict(one) for one in film.told]
        kept.write_text(json.dumps({"starts_s": film.starts_s, "seconds": film.seconds, "told": told}), "utf-8")
    found = json.loads(kept.read_text("utf-8"))
    film.starts_s, film.seconds = found["starts_s"], found["seconds"]
    film.told = [Told(**one) for one in found["told"]]
    return film


def _play(film: Film, senses: Senses) -> None:
    by_id: dict[str, Told] = {}

    def note(message: dict[str, Any]) -> None:
        if message["phase"] == "open":
            by_id[message["id"]] = Told(message["kind"], message["media_time_s"])
        elif message["phase"] == "close":
            by_id[message["id"]].closed_s = message["media_time_s"]
            by_id[message["id"]].reason = message["close_reason"]

    settings = Settings(config=senses.config)
    scene, end_ns = ReplayScene(settings, senses.model_versions(), Outputs(message=note), fuse=senses.fuse), 0
    for path, _ in film.sources:
        film.starts_s.append(end_ns / NS_PER_S)
        sha256 = hashlib.sha256(path.read_bytes() + b" to and fro" * (path in film.long)).hexdigest()
        made = observed(path, sha256, 0.0, senses, ToAndFro if path in film.long else None)
        has_picture = any(isinstance(one, Seen) for one in made)
        unended = (one for one in made if not isinstance(one, Blind))  # as Replayer.play joins
        end_ns = scene.play(str(path), unended, offset_ns=end_ns, has_picture=has_picture)
    scene.end(end_ns)
    film.seconds, film.told = end_ns / NS_PER_S, list(by_id.values())


def banged(clip: Clip, delays_s: Sequence[float], senses: Senses) -> list[tuple[str, int]]:
    """Count one bang, or take what it told with this code and these models before."""
    import soundfile  # noqa: PLC0415 - of the extra `train`: scoring needs none

    content = Path(clip.path).read_bytes()
    told = f"{code_sha()}\0{hashlib.sha256(content).hexdigest()}\0{delays_s}"
    kept = KEPT / f"bang-{hashlib.sha256(told.encode()).hexdigest()[:24]}.json"
    if not kept.is_file():
        samples, rate_hz = soundfile.read(clip.path, dtype="float32", always_2d=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(bang_count(samples.mean(axis=1), rate_hz, delays_s, senses)), "utf-8")
    return [(kind, cameras) for kind, cameras in json.loads(kept.read_text("utf-8"))]


def bang_count(samples: Sound, rate_hz: int, delays_s: Sequence[float], senses: Senses) -> list[tuple[str, int]]:
    """The kinds of the incidents that one bang makes on three cameras, each with how many cameras it names."""
    import soundfile  # noqa: PLC0415 - of the extra `train`: scoring needs none

    cameras = [f"camera{number}" for number in range(1, 1 + len(delays_s))]
    streams: list[list[Observation]] = []
    with tempfile.TemporaryDirectory() as folder:
        for camera, delay_s, gain in zip(cameras, delays_s, GAINS, strict=False):
            path = Path(folder) / f"{camera}.wav"
            soundfile.write(path, heard_at(samples, rate_hz, delay_s, gain), rate_hz)
            with open_media(SourceSpec(camera=camera, url=str(path))) as media:
                made = observations(media, camera=camera, seer=None, listener=senses.listener())
                streams.append([one for one in made if not isinstance(one, Blind)])
    scene = Scene(Policy.of(senses.config), lateness_ns=0)
    told: dict[int, tuple[str, int]] = {}
    end_ns = 0
    for observation in merge(*streams, key=lambda one: one.at_ns):
        end_ns = observation.at_ns
        for change in step_with_fusion(scene, observation, senses.fuse):
            told[change.incident.ordinal] = change.incident.kind, len(change.incident.cameras)
    for change in scene.finish(end_ns, "source_ended"):
        told[change.incident.ordinal] = change.incident.kind, len(change.incident.cameras)
    return list(told.values())


def heard_at(samples: Sound, rate_hz: int, delay_s: float, gain: float) -> Sound:
    """The sound as one camera hears it: quieter, later, with 6 s of a quiet room before and 4 s behind (made up)."""
    noise = np.random.default_rng(round(delay_s * 1e6))
    total = round((6 + delay_s + 4) * rate_hz) + len(samples)
    heard = 3e-4 * noise.standard_normal(total)
    begin = round((6 + delay_s) * rate_hz)
    heard[begin : begin + len(samples)] += gain * samples
    return np.clip(heard, -1.0, 1.0).astype(np.float32)


def bang_table(clips: Sequence[Clip], senses: Senses) -> str:
    """Return the Markdown table of the three cameras."""
    lines = [
        "| one bang on three cameras, val | sounds | heard by any | one incident | more | of these on one camera too |"
        " cameras named, median |",
        "|---|---|---|---|---|---|---|",
    ]
    chosen = [clip for clip in clips if clip.labels[0] in BANGS]
    by_group = list({(clip.labels[0], clip.group): clip for clip in chosen}.values())
    for name, delays_s in DELAYS_S.items():
        found, alone = [], 0
        for clip in by_group:
            found.append(banged(clip, delays_s, senses))
            if len(found[-1]) > 1:  # more than one bang?
                alone += len(banged(clip, delays_s[:1], senses)) > 1
        heard = [told for told in found if told]
        one = sum(len(told) == 1 for told in heard)
        named = [max(cameras for _, cameras in told) for told in heard]
        more = Counter("+".join(sorted(kind for kind, _ in told)) for told in heard if len(told) > 1)
        listed = ", ".join(f"{kinds} {count}" for kinds, count in more.most_common()) or "none"
        lines.append(
            f"| {name} later | {len(found)} | {len(heard)} | {one} | {listed} | {alone} |"
            f" {median(named) if named else '–'} |"
        )
    return "\n".join(lines)


def table(name: str, films: Sequence[Film], kinds_by_name: Mapping[str, frozenset[str]]) -> str:
    """Return the Markdown table of some films."""
    hours = sum(film.seconds for film in films) / 3600
    lines = [
        f"| {name} | happenings | in time | late | incidents each: median, most | repeated | left open |"
        " false an hour |",
        "|---|" + "---|" * 7,
    ]
    for label, kinds in kinds_by_name.items():
        score = Score()
        for film in films:
            score.add(film, kinds)
        if not (score.asked or score.false):
            continue
        each = f"{median(score.incidents):g}, {max(score.incidents)}" if score.incidents else "–"
        lines.append(
            f"| {label} | {score.asked} | {score.in_time} | {score.late} | {each} | {score.repeated} |"
            f" {score.left_open} | {score.false / max(1e-9, hours):.1f} ({score.false}) |"
        )
    scored = frozenset().union(*kinds_by_name.values())
    beside = Counter(one.kind for film in films for one in film.told if one.kind not in scored)
    listed = ", ".join(f"{kind} {count}" for kind, count in beside.most_common()) or "none"
    joins = sum(len(film.sources) - 1 for film in films)
    open_ = sum(one.reason is None for film in films for one in film.told)
    lines.append(
        f"\n{len(films)} films, {hours:.2f} h, {joins} joins. Incidents of other kinds: {listed}."
        f" Never closed: {open_}."
    )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=["train", "val"], default="val")
    parser.add_argument("--only", choices=["joined", "going-on", "rendered", "bangs"])
    parser.add_argument("--clips", type=Path, default=RENDERED if RENDERED.is_dir() else CLIPS, metavar="FOLDER")
    parser.add_argument("--films", type=int, help="only the first so many joined films")
    chosen = parser.parse_args(arguments)
    if not (SHARED / "data" / "video").is_dir():
        raise SystemExit(f"there are no clips: {SHARED / 'data' / 'video'} is missing")
    senses, parts = Senses.load(of_data({}, ())), []
    if chosen.only != "bangs":
        clips = clips_of("video", chosen.split)
    if chosen.only in (None, "joined"):
        films = [played(film, senses) for film in films_of(clips)[: chosen.films]]
        parts.append(table(f"joined clips, {chosen.split}", films, EVENT_KINDS))
    if chosen.only in (None, "joined", "going-on"):
        films = [played(film, senses) for film in going_on(films_of(clips)[: chosen.films], clips)]
        kinds_by_name = {"fight": EVENT_KINDS["fight"]}
        parts.append(table(f"joined clips, {chosen.split}, fights going on for 10 s", films, kinds_by_name))
    if chosen.only in (None, "rendered"):
        films = [
            played(film, senses) for film in rendered_films([c for c in clips if c.labels[0] == "normal"], chosen.clips)
        ]
        kinds = sorted({kind for film in films for one in film.happenings for kind in one.kinds})
        parts.append(table("rendered clips", films, {kind: frozenset({kind}) for kind in kinds}))
    if chosen.only in (None, "bangs"):
        parts.append(bang_table(clips_of("audio", chosen.split), senses).replace(", val", f", {chosen.split}"))
    print("\n\n".join([*parts, provenance()]))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
