"""What Prometheus reads is what was counted; a port that is taken costs the figures and nothing else."""

import re
import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.config.load import of_data
from agent.config.schema import listening_at
from agent.service import clock
from agent.service.telemetry.measures import BOUNDS_S, Measures
from agent.service.telemetry.metrics import Metrics
from agent.types import Closed, Opened, PictureStats, Seen, Updated
from agent.uplink.mqtt.publisher import Health
from tests.uplink.made import incident

STATS = PictureStats(brightness_frac=0.5, contrast_frac=0.1, sharpness_frac=0.1, moving_frac=0.0)
STATE: dict[str, Any] = {
    "node": "box",
    "uptime_s": 12,
    "degraded_because": ["the clock", "a model"],
    "clock": "synchronised",
    "cameras": {
        "hall": {
            "vision": {"status": "running"},
            "sound": {"status": "lost"},
            "replaced_pictures": 7,
            "level_dbfs": -40.5,
            "drift": {"vision": 0.04, "hearing": None},
        },
        "yard": {
            "vision": {"status": "opening"},
            "sound": {"status": "absent"},
            "replaced_pictures": 0,
            "level_dbfs": None,
            "drift": {"vision": None, "hearing": None},
        },
    },
    "dropped_sound_blocks": 3,
    "models": {"vision": {"degraded": True}, "hearing": {"degraded": False}},
    "outbox": {"depth": 5, "size_bytes": 4096, "write_ms": 25.0},
}


class Line:
    """An uplink that is connected."""

    def health(self) -> Health:
        return Health(connected=True, protocol="5", fault="", why="", refused_topics=())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def metrics(port: int, measures: Measures | None = None, host: str = "127.0.0.1") -> Metrics:
    config = of_data({"metrics": {"listen": f"{host}:{port}"}})
    return Metrics(config, measures or Measures(), lambda: STATE, Line())


def wait(found: Callable[[], Any], patience_s: float = 60.0) -> Any:
    given_up_s = time.monotonic() + patience_s
    while time.monotonic() < given_up_s:
        if result := found():
            return result
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def scraped(port: int) -> dict[str, dict[tuple[str, ...], float]]:
    """Return every sample: name → values of its labels → value."""

    def asked() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(wait(asked)):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


class Served:
    """Metrics on a thread of their own for as long as the block lasts."""

    def __init__(self, served: Metrics) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=served.run, args=(self._stop,))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


def test_a_scrape_tells_what_was_counted() -> None:
    measures, port = Measures(), free_port()
    for n in range(3):
        measures.seen(
            Seen(
                camera="hall",
                at_ns=clock.now_ns() - 2_000_000_000,
                aspect_ratio=1.8,
                stats=STATS,
                detections=() if n else None,
            )
        )
    for change in (
        Opened(incident=incident(1)),
        Updated(incident=incident(1)),
        Opened(incident=incident(2, kind="fire")),
        Closed(incident=incident(1)),
    ):
        measures.raised(change)
    assert measures.timed("fuse", lambda given: given + 1)(1) == 2
    with pytest.raises(KeyError), measures.timing("see"):
        raise KeyError("even then")
    with Served(metrics(port, measures)):
        told = scraped(port)
    assert told["vedette_info"] == {("box", told_version(told)): 1.0}
    assert (told["vedette_pictures_total"], told["vedette_looks_total"]) == (
        {("hall",): 3.0, ("yard",): 0.0},
        {("hall",): 2.0, ("yard",): 0.0},
    )
    assert 1.9 < told["vedette_picture_age_seconds"][("hall",)] < 60
    assert told["vedette_pictures_skipped_total"][("hall",)] == 7.0
    assert told["vedette_incidents_total"] == {("hall", "fall", "critical"): 1.0, ("hall", "fire", "critical"): 1.0}
    assert told["vedette_incidents_open"] == {("hall",): 1.0}
    assert told["vedette_source_up"] == {("hall", "vision"): 1.0, ("hall", "sound"): 0.0, ("yard", "vision"): 0.0}
    assert told["vedette_sound_level_dbfs"] == {("hall",): -40.5}
    assert told["vedette_model_drift"] == {("hall", "vision"): 0.04}
    assert told["vedette_outbox_messages"][()] == 5.0
    assert told["vedette_outbox_write_seconds"][()] == pytest.approx(0.025)
    assert told["vedette_broker_connected"][()] == 1.0
    assert told["vedette_degraded"][()] == 2.0
    assert told["vedette_model_degraded"] == {("vision",): 1.0, ("hearing",): 0.0}
    assert told["vedette_stage_seconds_count"] == {("see",): 1.0, ("hear",): 0.0, ("fuse",): 1.0}
    assert told["vedette_process_resident_memory_bytes"][()] > 1e6


def told_version(told: dict[str, dict[tuple[str, ...], float]]) -> str:
    ((_, version),) = told["vedette_info"]
    return version


def test_the_buckets_of_a_histogram_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    measures = Measures()
    kept = measures._durations["see"]
    for seconds in (0.0, BOUNDS_S[0], BOUNDS_S[0] + 1e-6, BOUNDS_S[-1] + 1.0):
        kept.note(seconds)
    assert kept.counts[:2] == [2, 1]
    assert kept.counts[-1] == 1
    assert sum(kept.counts) == 4


def test_a_port_that_is_taken_is_told_once_and_taken_when_it_is_free(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("agent.service.telemetry.metrics.AGAIN_S", 0.05)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        served = metrics(other.getsockname()[1])
        with Served(served):
            assert "in use" in wait(served.remarks)[0]
            other.close()
            assert scraped(served._port)["vedette_uptime_seconds"][()] == 12.0
            assert served.remarks() == []
    assert len([one for one in caplog.records if "no figures" in one.getMessage()]) == 1


def test_a_host_that_can_be_no_name_is_told_and_ends_nothing() -> None:
    served = metrics(9797, host="can..be.no.name")
    with Served(served):
        assert "encoding" in wait(served.remarks)[0]


def test_after_a_stop_nobody_listens() -> None:
    port = free_port()
    with Served(metrics(port)):
        scraped(port)
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", port), 5):
        pass


@pytest.mark.parametrize("address", ["9797", "127.0.0.1", ":9797", "127.0.0.1:0", "127.0.0.1:70000", "::1:9797", "a:b"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        listening_at(address)


def test_addresses_of_both_kinds_are_taken() -> None:
    assert listening_at("127.0.0.1:9797") == ("127.0.0.1", 9797)
    assert listening_at("[::1]:1") == ("::1", 1)
    assert listening_at("box.lan:65535") == ("box.lan", 65535)


def test_the_page_tells_every_figure_and_asks_for_none_that_is_not_there(repository: Path) -> None:
    port = free_port()
    measures = Measures()
    measures.raised(Opened(incident=incident(1)))
    with Served(metrics(port, measures)):
        told = scraped(port).keys()
    text = (repository / "docs" / "metrics.md").read_text()
    for name in told:
        if not name.startswith("vedette_process_") and not name.endswith("_created"):
            assert re.sub(r"_(bucket|count|sum)$", "", name) in text, name
    asked = set(re.findall(r"vedette_\w+(?=[\[{ `])", text.partition("## Queries")[2]))
    assert len(asked) >= 8
    assert asked - told - {"vedette_picture_age_seconds"} == set()
