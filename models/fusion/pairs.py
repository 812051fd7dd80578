"""Is both better than either? The product with picture and sound, with picture alone, with sound alone.

    python -m models.fusion.pairs         # val clips × val sounds, real clips with real sound, rendered scenes

Observations of the shipped graphs go through the scene and the fusion graph as `vedette replay` sends them,
three times.
Paired: every fight, fall and fire of the validation split and as many calm clips, each with recorded sounds of the
validation split: two that fit (FITTING), two security sounds that do not belong there, two ordinary ones. What has
happened is what the clip shows and what the sound is; a kind counts as found if an incident of it opened or if it is
evidence of one that did, and as false if one opened that nobody showed or sounded. Who hears which sound is drawn by
SEED and was never chosen by hand. Intervals: 95 % bootstrap, whole groups of clips drawn.
"""

import argparse
import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.capture.source import SourceSpec, open_media
from agent.inference.fusion import FusionModel
from agent.service.observe import observations
from agent.service.recordings import journal
from agent.service.senses import Senses
from agent.types import Closed, Heard, Opened, Seen
from models.fusion.clips import BUILD, CAMERA, SHARED, Clip, extract, folders, load_senses, manifest, read, versions
from models.fusion.evaluate import played
from models.resampling import Rows, group_interval

SEED = 8
RESAMPLES = 1000
EACH = 2
SOUNDS = frozenset({"gunshot", "explosion", "glass_break", "scream", "alarm", "crash"})
SIGHTS = frozenset({"fight", "fall", "fire"})
JUDGED = SOUNDS | SIGHTS | {"smoke"}
FITTING = {"fight": ("scream", "glass_break"), "fire": ("alarm",), "fall": (), "normal": ()}
MODES = ("both", "picture", "sound")
SCENES = Path("build/scenes")


@dataclass(frozen=True, slots=True)
class Case:
    """Something to be judged: what is seen and heard, and what has happened."""

    name: str
    group: str
    sort: str
    observed: tuple[Seen | Heard, ...]
    truth: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case."""

    case: Case
    found: frozenset[str]
    false: frozenset[str]


def told(case: Case, model: FusionModel, mode: str) -> Outcome:
    """What the scene makes of a case when it sees and hears, only sees, or only hears."""
    opened: set[str] = set()
    signals: set[str] = set()
    for change in played(case.observed, model.fuse, with_sound=mode != "picture", with_picture=mode != "sound"):
        if isinstance(change, Opened):
            opened.add(change.incident.kind)
        if isinstance(change, Closed):
            signals |= {item.signal for item in change.incident.evidence}
    found = (opened | signals) & case.truth
    return Outcome(case, frozenset(found), frozenset((opened & JUDGED) - case.truth - _near(case.truth)))


def _near(truth: frozenset[str]) -> frozenset[str]:
    """Kinds that nobody can call false beside what has happened: smoke of a fire, the thud of a fall."""
    near = {"fire": {"smoke"}, "fall": {"crash"}, "gunshot": {"explosion"}, "explosion": {"gunshot"}}
    return frozenset().union(*(near.get(kind, set()) for kind in truth))


def paired(senses: Senses, clips: Sequence[Clip]) -> list[Case]:
    """The pairs of the validation split."""
    rng, places, sounds = np.random.default_rng(SEED), folders(senses), heard_sounds(senses)
    events = [clip for clip in clips if clip.kind in SIGHTS]
    calm = [clip for clip in clips if clip.kind == "normal"][: len(events)]
    security = [name for name in sounds if name in SOUNDS]
    ordinary = [name for name in sounds if name not in SOUNDS]
    cases = []
    for clip in [*events, *calm]:
        extract(clip, senses, 0)
        seen = tuple(one for one in read(clip, 0, places) if isinstance(one, Seen))
        fits = [name for name in FITTING[clip.kind] if name in sounds]
        others = [name for name in security if name not in fits]
        for sort, names in (("fitting", fits), ("unfitting", others), ("ordinary", ordinary)):
            for _ in range(EACH if names else 0):
                label = names[int(rng.integers(len(names)))]
                heard = sounds[label][int(rng.integers(len(sounds[label])))]
                truth = {clip.kind} & SIGHTS | {label} & SOUNDS
                both = sorted((*seen, *heard), key=lambda one: (one.at_ns, isinstance(one, Heard)))
                cases.append(Case(f"{clip.name} + {label}", clip.group, sort, tuple(both), frozenset(truth)))
    return cases


def heard_sounds(senses: Senses) -> dict[str, list[list[Heard]]]:
    """What the product hears in the recordings of the validation split, by first label, kept once heard."""
    folder = folders(senses)["heard"]
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[list[Heard]]] = defaultdict(list)
    with (SHARED / "data" / "audio" / "manifest.csv").open(encoding="utf-8", newline="") as rows:
        wanted = [r for r in csv.DictReader(rows) if r["split"] == "val" and r["kind"] == "real"]
    for row in wanted:
        label = row["labels"].split(";")[0]
        if row["suspect_label"] != "0" or len(found[label]) >= 12:
            continue
        kept = folder / f"val-{Path(row['file']).stem}.jsonl.gz"
        if not kept.exists():
            spec = SourceSpec(camera=CAMERA, url=str(SHARED / "data" / "audio" / row["file"]))
            with open_media(spec) as media, gzip.open(kept.with_suffix(".part"), "wt", encoding="utf-8") as out:
                listening = observations(media, camera=CAMERA, seer=None, listener=senses.listener())
                out.writelines(journal.encode(one) + "\n" for one in listening)
            kept.with_suffix(".part").rename(kept)
        with gzip.open(kept, "rt", encoding="utf-8") as lines:
            found[label].append([one for line in lines if isinstance(one := journal.decode(line), Heard)])
    return found


def real(senses: Senses, clips: Sequence[Clip]) -> list[Case]:
    """Clips of the validation split whose sound is known to be that of the scene."""
    with (SHARED / "data" / "video" / "manifest.csv").open(encoding="utf-8", newline="") as rows:
        sure = {Path(row["file"]).stem for row in csv.DictReader(rows) if "real scene sound" in row["has_sound"]}
    places, cases = folders(senses), []
    for clip in (one for one in clips if one.name in sure):
        extract(clip, senses, 0)
        cases.append(Case(clip.name, clip.group, "real", tuple(read(clip, 0, places)), frozenset({clip.kind} & SIGHTS)))
    return cases


def rendered(senses: Senses, folder: Path = SCENES) -> Iterator[Case]:
    """The rendered scenes, where they lie (python -m models.scenes render)."""
    for labels in sorted(folder.glob("*.json")):
        document = json.loads(labels.read_text())
        if "expects" not in document or not labels.with_suffix(".mp4").exists():
            continue
        kinds = frozenset(document["expects"]) & JUDGED
        stamp = labels.with_suffix(".mp4").stat().st_mtime_ns
        clip = Clip(
            f"scene-{labels.stem}-{stamp}", labels.with_suffix(".mp4"), "normal", (), "", "", labels.stem, "", 20
        )
        extract(clip, senses, 0)
        yield Case(labels.stem, labels.stem, "rendered", tuple(read(clip, 0, folders(senses))), kinds)


def scored(outcomes: Sequence[Outcome]) -> tuple[float, float, float]:
    """Precision, recall and F1 over kinds; 0 where nothing was opened."""
    right = sum(len(one.found) for one in outcomes)
    wrong = sum(len(one.false) for one in outcomes)
    asked = sum(len(one.case.truth) for one in outcomes)
    precision, recall = right / max(1, right + wrong), right / max(1, asked)
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def interval(first: Sequence[Outcome], second: Sequence[Outcome]) -> tuple[float, float]:
    """95 % of the difference of two F1 on the same cases, whole groups drawn."""
    groups = [one.case.group for one in first]

    def more(rows: Rows) -> float:
        return scored([first[row] for row in rows])[2] - scored([second[row] for row in rows])[2]

    return group_interval(groups, more, rounds=RESAMPLES, seed=SEED)


def table(title: str, outcomes: dict[str, list[Outcome]]) -> list[str]:
    """Lines of one table, a mode a row."""
    cases = len(outcomes["both"])
    lines = [f"{title}: {cases} cases, {len({one.case.group for one in outcomes['both']})} groups", ""]
    lines += ["| | precision | recall | F1 | both better by (95 %) |", "|---|---|---|---|---|"]
    for mode in MODES:
        precision, recall, f1 = scored(outcomes[mode])
        more = ""
        if mode != "both" and cases:
            gain = scored(outcomes["both"])[2] - f1
            low, high = interval(outcomes["both"], outcomes[mode])
            more = f"{gain:+.3f} ({low:+.3f} to {high:+.3f})"
        lines.append(f"| {mode} | {precision:.3f} | {recall:.3f} | {f1:.3f} | {more} |")
    return [*lines, ""]


def kinds_table(outcomes: dict[str, list[Outcome]]) -> list[str]:
    """How much of what the pictures show is found, and how often it is raised falsely, by the sound beside it."""
    lines = ["| sound | sight found, both | sight found, picture | false sight, both | false sight, picture | cases |"]
    lines.append("|---|---|---|---|---|---|")
    for sort in ("fitting", "unfitting", "ordinary"):
        cells = []
        for what in ("found", "false"):
            for mode in ("both", "picture"):
                chosen = [one for one in outcomes[mode] if one.case.sort == sort]
                asked = [one for one in chosen if bool(one.case.truth & SIGHTS) == (what == "found")]
                cells.append(f"{sum(bool(getattr(one, what) & SIGHTS) for one in asked)} of {len(asked)}")
        lines.append(f"| {sort} | {' | '.join(cells)} | {sum(one.case.sort == sort for one in outcomes['both'])} |")
    return [*lines, ""]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without-rendered", action="store_true")
    options = parser.parse_args()
    senses = load_senses()
    model = FusionModel.load(
        senses.config.models, senses={"vision": senses.vision.card, "hearing": senses.hearing.card}
    )
    if model is None:
        raise SystemExit("there is no fusion graph: python -m models.fusion.export")
    clips = [clip for clip in manifest() if clip.split == "val"]
    parts = {
        "Paired clips and sounds (val)": paired(senses, clips),
        "Real clips with their real sound (val)": real(senses, clips),
    }
    if not options.without_rendered:
        parts["Rendered scenes"] = list(rendered(senses))
    lines = [versions(senses.vision.card, senses.hearing.card, model.card), ""]
    for title, cases in parts.items():
        outcomes = {mode: [told(case, model, mode) for case in cases] for mode in MODES}
        lines += table(title, outcomes)
        if title.startswith("Paired"):
            lines += kinds_table(outcomes)
        else:
            for place, case in enumerate(cases):
                said = [f"{mode} {_said(outcomes[mode][place])}" for mode in MODES]
                lines.append(f"- {case.name}: {', '.join(sorted(case.truth)) or 'calm'}; {'; '.join(said)}")
            lines.append("")
    print("\n".join(lines))
    (BUILD / "pairs.md").write_text("\n".join(lines) + "\n")


def _said(outcome: Outcome) -> str:
    missed = outcome.case.truth - outcome.found
    parts = [*(f"{kind} found" for kind in sorted(outcome.found)), *(f"{kind} missed" for kind in sorted(missed))]
    return ", ".join([*parts, *(f"{kind} false" for kind in sorted(outcome.false))]) or "silent"


if __name__ == "__main__":
    main()
