"""Evidence as Markdown: one function a section, `written` puts them under the card that they belong to."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from models.report.evidence import load, origin
from models.report.markdown import number, row, table

Found = Mapping[str, Any]
Cards = Mapping[str, Mapping[str, Any]]
SHOWN_CONFUSIONS = 12


def written(name: str, known: Cards) -> Iterator[str]:
    """The sections of one card; none where nothing was measured."""
    found = load({"fusion": "fight"}.get(name, name))
    if found is not None:
        yield from {"vision": vision, "hearing": hearing, "fusion": fight}[name](found, known)
    crowd = load("people") if name == "vision" else None
    if crowd is not None:
        yield from people(crowd, known)
    looks = load("closer") if name == "vision" else None
    if looks is not None:
        yield from closer(looks, known)
    curves = load("curves")
    if curves is not None and name in curves:
        yield from learning(name, curves, known)


def plot(name: str, alt: str) -> Iterator[str]:
    """A picture drawn by models.report.plots."""
    yield from ("", f"![{alt}](report/plots/{name}.svg)", "")


def precision_loss(card: Mapping[str, Any]) -> Iterator[str]:
    """The card's own figures, float beside 8 bits in each runtime."""
    rows: dict[tuple[str, str, str], dict[tuple[str, str], float]] = {}
    for figure in card["figures"]:
        if figure["metric"] in ("ap50_stretched", "ap_stretched", "map50_stretched", "average precision", "ap", "f1"):
            key = (figure["metric"], figure["label"], figure.get("size", ""))
            rows.setdefault(key, {})[figure["precision"], figure["runtime"]] = figure["value"]
    ways = [(precision, runtime) for runtime in ("onnxruntime", "openvino") for precision in ("fp16", "int8")]
    whole = {key: values for key, values in rows.items() if all(way in values for way in ways)}
    if not whole:
        return
    yield from ("", "### Float beside 8 bits, per runtime", "")
    yield "The same weights, from the rows above: float16 files compute in float32 on a CPU."
    yield ""
    yield from table(
        ("figure", "of", "size", *(f"{runtime} {precision}" for precision, runtime in ways), "8 bits cost at most"),
        ([*key, *(values[way] for way in ways),
          round(max(values["fp16", r] - values["int8", r] for r in ("onnxruntime", "openvino")), 4)]
         for key, values in whole.items()),
    )  # fmt: skip


def beside(rows: Sequence[Found], names: Mapping[str, str]) -> Iterator[str]:
    """Student, teachers and published peers."""
    yield from table(
        ("graph", "million weights", "million multiply-adds", "ms (OpenVINO, one thread)", *names.values()),
        ([one["graph"], one["weights_m"], one["mmac"], one["ms"],
          *(_with_interval(one, key) for key in names)] for one in rows),
    )  # fmt: skip


def _with_interval(one: Found, key: str) -> str:
    value = number(one[key]) if one.get(key) is not None else ""
    first = key in ("ap50", "mean_ap") and one["ci95"]
    return f"{value} ({' to '.join(number(end) for end in one['ci95'])})" if first else value


def vision(found: Found, known: Cards) -> Iterator[str]:
    """Other detectors, slices, mistakes."""
    yield from ("", "### Beside the network it came from and other published detectors", "")
    yield f"People on {found['pictures']} val pictures in one look, stretched (`STILL_STRETCH`); others as they were "
    yield "published. `vedette detect` looks five times (BENCHMARKS.md)."
    yield "Twelve: mean AP50 where all twelve classes are labelled. 95 % over pictures."
    yield ""
    others = (load("peers") or {"beside": []})["beside"]
    columns = {"ap50": "person AP50 (95 %)", "ap": "person AP", "twelve": "twelve AP50"}
    yield from beside([*found["beside"], *others], columns)
    yield ""
    yield "The other rows: `python -m models.evaluate --evidence peers`."
    yield from plot("vision-beside", "Person AP50 against multiply-adds")
    yield from ("### Who is found, by what makes it hard", "")
    yield f"Share of the {found['people']} drawn people that have a box at the card's threshold, {found['threshold']};"
    yield "int8 at 416 in ONNX Runtime. Val has no labels for skin, clothes, age or wheelchairs, and key points for"
    yield "some people only."
    yield ""
    yield from table(("by", "slice", "people", "found"),
                     ([one["by"], one["slice"][3:] if one["slice"][1] == ":" else one["slice"],
                       _few(one["people"]), one["recall"]] for one in found["slices"]))  # fmt: skip
    yield from plot("vision-slices", "Recall of people by slice")
    yield from table(("pictures", "n", "people", "AP50", "AP", "precision", "recall"),
                     ([one["slice"][3:], _few(one["pictures"]), one["people"], one["ap50"], one["ap"],
                       one["precision"], one["recall"]] for one in found["pictures_by"]))  # fmt: skip
    yield from ("", "### Worst mistakes", "", "What is to be seen was written after looking at each picture; boxes "
                "are per cent of the picture's sides.", "")  # fmt: skip
    seen = (load("seen") or {}).get("pictures", {})
    for what, rows in (("a person told where none is", found["false"]), ("a person not told", found["missed"])):
        for one in rows:
            told = f"score {one['score']}" if one["score"] else "no box over them at all"
            note = seen.get(str(one["picture"]), "nobody described it yet")
            yield f"* {what} ({told}; picture {one['picture']}, {one['light']}, box {one['box_percent']}): {note}"
    yield from ("", origin(found, known))


def people(found: Found, known: Cards) -> Iterator[str]:
    """People in clips of cameras and in rendered scenes."""
    yield from ("", "### People in front of cameras", "")
    yield f"int8 in ONNX Runtime at the card's threshold, {found['threshold']}; 320×192 is what runs live. Two pictures"
    yield "of each val clip: people whom three published detectors and their mirror images, joined by weighted boxes,"
    yield "score 0.35 or more; a box is right where they share it from 0.15 on. Nobody drew these people."
    yield ""
    yield from table(("graph", "val clips", "pictures", "people", "recall", "precision"),
                     ([one["graph"], one["clips"], one["pictures"], _few(one["people"]), one["recall"],
                       one["precision"]] for one in found["surveillance"]))  # fmt: skip
    if found["rendered"]:
        yield from ("", "Rendered scenes (`python -m models.scenes render`), a picture a second, people of 400 pixels "
                    "and more by their exact boxes. This never stands for real footage.", "")  # fmt: skip
        yield from table(("graph", "posture", "clips", "people", "found"),
                         ([one["graph"], one["posture"], one["clips"], _few(one["people"]), one["recall"]]
                          for one in found["rendered"]))  # fmt: skip
    yield from ("", origin(found, known))


def closer(found: Found, known: Cards) -> Iterator[str]:
    """People followed with and without closer looks."""
    yield from ("", "### People followed with closer looks", "")
    yield "Val clips and held footage whose pictures have more pixels than are analysed, played as a camera at ten"
    yield "pictures a second; at moments in them, people of the fused teachers, who look at the picture whole and in"
    yield "parts, on whom a track lies (intersection over union .3). Chosen on training clips and development footage"
    yield "(`python -m models.report.closer`). Heights are in picture heights. Nobody drew these people."
    yield ""
    yield from table(("heights", "closer looks", "recordings", "pictures", "people", "followed", "tracks", "right"),
                     (["{} to {}".format(*one["heights"]), "yes" if one["closer"] else "no", one["recordings"],
                       one["pictures"], _few(one["people"]), one["recall"], one["tracks"], one["precision"]]
                      for one in found["rows"]))  # fmt: skip
    yield from ("", origin(found, known))


def hearing(found: Found, known: Cards) -> Iterator[str]:
    """Teachers, damages, reliability, confusion, mistakes."""
    labels = ("gunshot", "explosion", "glass_break", "scream", "alarm", "crash")
    yield from ("", "### Beside its teachers", "")
    yield f"Highest window of each of {found['clips']} val clips; a window is 2 s, in which YAMNet hears three patches."
    yield "A teacher's score is the highest of the AudioSet classes that speak for a label (`AUDIOSET` in"
    yield "`models/hearing/labels.py`); the last row takes the one class that ranks val best: chosen on val, so it says"
    yield "more than a user of the teacher could know."
    yield ""
    yield from beside(found["beside"], {"mean_ap": "mean AP of the four aimed at (95 %)"} | {x: x for x in labels})
    yield from plot("hearing-beside", "Mean average precision against multiply-adds")
    yield from ("### What microphones and codecs cost", "")
    yield "Average precision of the same val clips, damaged one way at a time (`models/hearing/slices.py`)."
    yield ""
    four = ("gunshot", "glass_break", "scream", "alarm")
    yield from table(("damage", "mean", *four),
                     ([one["damage"], sum(one[x] for x in four) / 4, *(one[x] for x in four)]
                      for one in found["damages"]))  # fmt: skip
    yield from ("", "### Reliability", "")
    yield "What was said against what was so, weighted as calibration is (positives weigh 0.05 in all). Small numbers:"
    yield "clips with the label. Pale: fewer than five recordings."
    yield from plot("hearing-reliability", "Reliability of the six security labels")
    yield from table(("label", "expected calibration error", "clips above 0.5"), (
        [label, _ece(bins), sum(one["clips"] for one in bins if one["said"] >= 0.5)]
        for label, bins in found["reliability"].items()))  # fmt: skip
    yield from ("", "### Confusion", "")
    yield from plot("hearing-confusion", "What was told of each kind of clip")
    yield "Clips by their first label; told is the likeliest label of any window. The commonest confusions:"
    yield ""
    yield from table(("is", "told", "clips", "of"), _confused(found["confusion"]))
    yield from ("", "### Worst mistakes", "")
    for what, rows in (("false", found["false"]), ("missed", found["missed"])):
        for one in rows:
            yield (f"* {what} {one['label']}: `{one['clip']}` ({one['is']}), told {one['told']} against a threshold of "
                   f"{one['threshold']}; likeliest {one['likeliest']}; every half second "
                   f"{' '.join(number(p) for p in one['over_time'])}")  # fmt: skip
    yield from ("", origin(found, known))


def fight(found: Found, known: Cards) -> Iterator[str]:
    """Senses, reliability, mistakes, ablation."""
    yield from ("", "### Both senses, and either alone", "")
    yield f"`fight` on {found['clips']} val clips through the product's scene; nearly all clips have no real sound."
    yield ""
    yield from table(
        ("senses", "AUC", "95 %", "false at 0.80 recall", "fights opened", "calm clips opened"),
        ([one["senses"], one["auc"], " to ".join(number(end) for end in one["ci95"]), one["false_at_80"],
          f"{one['opened']} of {one['fights']}", f"{one['false']} of {one['calm']}"] for one in found["ways"]),
    )  # fmt: skip
    yield from ("", "### Reliability and scores", "")
    yield "Clips by their highest log-likelihood ratio, fights and calm clips weighing the same."
    yield from plot("fight", "Reliability of fight, and the highest llr of each clip")
    if found.get("pairs"):
        yield from ("### Pairs of pictures and sounds", "")
        yield f"`python -m models.fusion.pairs`: {found['pairs'][0]}; thresholds as shipped."
        yield from found["pairs"][1:]
    if found["ablation"]:
        yield from ("### Ablations", "", "`python -m models.fusion.ablation`: " + found["ablation"][0] + ".", "")
        yield from (line for line in found["ablation"][1:] if line)
    yield from ("", "### Worst mistakes", "")
    seen = (load("seen") or {}).get("clips", {})
    for what, rows in (("calm, most like a fight", found["false"]), ("a fight, least like one", found["missed"])):
        for one in rows:
            note = seen.get(one["clip"].rpartition(": ")[2], "nobody described it yet")
            opened = f"opened {', '.join(one['opened'])}" if one["opened"] else "opened nothing"
            yield (f"* {what}: `{one['clip']}` ({one['seconds']} s): {note}; {opened}; highest llr {one['llr']}, every "
                   f"half second {' '.join(number(z) for z in one['over_time'])}")  # fmt: skip
    yield from ("", origin(found, known))


def learning(name: str, found: Found, known: Cards) -> Iterator[str]:
    """The learning curve of a card."""
    yield from ("", "### Learning", "")
    yield from plot(f"{name}-learning", "Loss and quality on dev while training")
    rows = found[name]
    last = rows[-1]
    yield (
        f"{int(last['step'])} steps; the last line of the log: "
        + row(*(f"{key} {number(value)}" for key, value in last.items() if key != "step"))
        .strip("| ")
        .replace(" | ", ", ")
        + "."
    )
    yield ""
    yield origin(found, known)


def _few(count: int) -> str:
    return f"{count} ○" if count < 30 else str(count)


def _ece(bins: Sequence[Found]) -> float:
    return float(round(sum(one["share"] * abs(one["said"] - one["so"]) for one in bins), 4))


def _confused(found: Found) -> Iterator[list[object]]:
    pairs = [
        (count, true, told, sum(counts))
        for true, counts in zip(found["true"], found["counts"], strict=True)
        for told, count in zip(found["told"], counts, strict=True)
        if count and true != told
    ]
    for count, true, told, total in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2]))[:SHOWN_CONFUSIONS]:
        yield [true, told, count, total]
