"""How the shipped fusion graph does on fights of other collections than the one that it learned from.

    python -m models.fusion.more fetch DIR        # brings the clips of more_clips.csv out of git directories
    python -m models.fusion.clips --only-more     # what the product's senses make of them, ten minutes
    python -m models.fusion.unseen                # the table; writes build/fusion/unseen.md

Nearly all training and validation fights are of one collection of web videos, so figures there cannot tell how far the
graph generalises. Here it judges the clips of more_clips.csv (models.fusion.more), from none of which it learned,
through the product's own scene as models.fusion.evaluate has it: AUC of fights against calm clips by the highest
window, and in how many a fight opens at the shipped threshold. `streets and rooms` are surveillance and hand-held film
of several small collections, `staged` one person's blow at another beside embraces, handshakes and pointing (UT-
Interaction), `crowds` riots beside cheering (Violent Flows), `ice hockey` what its name says. Intervals: 95 %
bootstrap over groups.
"""

from collections.abc import Mapping, Sequence

from agent.inference.fusion import FusionModel
from models.fusion.clips import BUILD, folders, load_senses, more, versions
from models.fusion.evaluate import Told, area, interval, tell
from models.fusion.more import STREET, sources

UNSEEN: Mapping[str, tuple[str, ...]] = {
    "streets and rooms": STREET,
    "staged": ("UT-Interaction",),
    "crowds": ("Violent Flows",),
    "ice hockey": ("Hockey Fights",),
}


def table(told: Sequence[Told], of: Mapping[str, str]) -> list[str]:
    """Lines of Markdown: a row for each kind of source and one for all; `of` names each clip's source."""
    lines = ["| | AUC (95 % by group) | fights that open | calm clips that do | groups |", "|---|---|---|---|---|"]
    for kind, names in {**UNSEEN, "all": tuple(of.values())}.items():
        mine = [one for one in told if of[one.clip.name] in names]
        if not mine:
            continue
        opened = {
            calm: [("fight" in one.opened) for one in mine if (one.clip.kind == "normal") == calm]
            for calm in (False, True)
        }
        low, high = interval(mine)
        counts = " | ".join(f"{sum(opened[calm])} of {len(opened[calm])}" for calm in (False, True))
        groups = len({one.clip.group for one in mine})
        lines.append(f"| {kind} | {area(mine):.3f} ({low:.3f} to {high:.3f}) | {counts} | {groups} |")
    return lines


def main() -> None:
    senses = load_senses()
    model = FusionModel.load(
        senses.config.models, senses={"vision": senses.vision.card, "hearing": senses.hearing.card}
    )
    if model is None:
        raise SystemExit("there is no fusion graph: python -m models.fusion.export")
    places = folders(senses)
    clips = [clip for clip in more() if (places["seen"] / f"{clip.name}.0.jsonl.gz").exists()]
    if not clips:
        raise SystemExit("nothing here to judge: python -m models.fusion.clips --only-more")
    beside = versions(model.card, senses.vision.card, senses.hearing.card)
    lines = [beside, "", *table([tell(clip, model, places) for clip in clips], sources())]
    (BUILD / "unseen.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
