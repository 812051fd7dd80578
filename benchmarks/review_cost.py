"""How long the page for reviewing waits for its answers, with as many incidents as a box keeps at most.

    python -m benchmarks.review_cost [--incidents N]

A history is made up in a temporary folder: of N incidents one every ten minutes back from now, on four cameras, of six
kinds, three messages each, every third with a verdict. Then each question that the page can ask is asked five times.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from agent.service.viewing.review import Review
from agent.types import NS_PER_S, Box, Closed, Evidence, Incident, IncidentChange, Opened, Updated
from agent.uplink.history import history
from agent.uplink.messages.payload import incident_message, rfc3339, uuid7
from agent.uplink.storage.store import open_store
from agent.uplink.uplink import DATABASE

EVERY_NS = 600 * NS_PER_S
KINDS = ("fall", "fire", "gunshot", "intrusion", "alarm", "unusual")
CAMERAS = ("hall", "yard", "shop", "stairs")
TIMES = 5


def changes(ordinal: int, started_ns: int) -> list[IncidentChange]:
    """Return the life of an incident of ten seconds."""
    camera, kind = CAMERAS[ordinal % len(CAMERAS)], KINDS[ordinal % len(KINDS)]

    def at(seconds: int, **more: Any) -> Incident:
        box = Box(left_frac=0.1, top_frac=0.5, right_frac=0.4, bottom_frac=0.7)
        evidence = tuple(
            Evidence(signal=signal, modality=sense, score=0.9, llr=3.5, at_ns=started_ns + seconds * NS_PER_S, box=box)
            for signal, sense in (("went_down", "vision"), ("fallen", "vision"), ("thud", "sound"), (kind, "fusion"))
        )
        return Incident(
            ordinal=ordinal, camera=camera, cameras=(camera,), kind=kind, severity="critical",
            started_ns=started_ns, at_ns=started_ns + seconds * NS_PER_S, ended_ns=more.get("ended_ns"),
            confidence=0.9, summary=f"Something of the kind {kind} happened at {camera}, and was made up.",
            without_sound=True, without_picture=False, evidence=evidence, tracks=(1,), zones=(),
            close_reason=more.get("close_reason"),
        )  # fmt: skip

    last = at(10, ended_ns=started_ns + 10 * NS_PER_S, close_reason="quiet")
    return [Opened(incident=at(1)), Updated(incident=at(4)), Closed(incident=last)]


def fill(folder: Path, incidents: int) -> str:
    """Write the history; return the id of the newest incident."""
    store = open_store(folder / DATABASE)
    now_ns, seq, newest = time.time_ns(), 0, ""
    with store.transaction() as db:
        for ordinal in range(incidents):
            started_ns = now_ns - (incidents - ordinal) * EVERY_NS
            newest = uuid7(started_ns // 1_000_000, os.urandom(10))
            for change in changes(ordinal, started_ns):
                seq += 1
                told = incident_message(
                    change,
                    incident_id=newest,
                    seq=seq,
                    node="box",
                    wall_offset_ns=0,
                    clock_synchronised=True,
                    models={},
                )
                history.record(db, told, wall_offset_ns=0)
            if ordinal % 3 == 0:
                history.mark(db, newest, verdict=ordinal % 2 == 0, at=rfc3339(now_ns))
    store.close()
    return newest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incidents", type=int, default=history.KEEP_INCIDENTS)
    incidents = parser.parse_args().incidents
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        newest = fill(folder, incidents)
        review = Review(folder)
        first = review.incidents({})
        questions: dict[str, Callable[[], Any]] = {
            "what there is to choose from": review.about,
            "the first forty": lambda: review.incidents({}),
            "the next forty": lambda: review.incidents({"before": first["before"] or ""}),
            "one incident": lambda: review.incident(newest),
            "of a kind": lambda: review.incidents({"kind": "fall"}),
            "of a camera": lambda: review.incidents({"camera": "shop"}),
            "not yet marked": lambda: review.incidents({"marked": "none"}),
            "marked false": lambda: review.incidents({"marked": "false"}),
            "with words that occur": lambda: review.incidents({"text": "fire made"}),
            "with a word that does not": lambda: review.incidents({"text": "zebra"}),
            "a verdict": lambda: review.mark(newest, true=True, note=""),
        }
        print(f"{incidents} incidents, {(folder / DATABASE).stat().st_size / 1e6:.0f} MB\n")
        print("| question | ms |\n|---|---|")
        for question, ask in questions.items():
            print(f"| {question} | {1000 * median(_seconds(ask) for _ in range(TIMES)):.0f} |")


def _seconds(ask: Callable[[], Any]) -> float:
    began_s = time.perf_counter()
    ask()
    return time.perf_counter() - began_s


if __name__ == "__main__":
    main()
