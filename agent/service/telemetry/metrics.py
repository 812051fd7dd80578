"""The node's figures for Prometheus: http://host:port/metrics, only where `metrics.listen` says so.

Nothing is measured here: a scrape reads `Measures` and the state, and puts them into families. docs/metrics.md says
what each is for.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from agent import __version__
from agent.config.schema import Config, listening_at
from agent.service.telemetry.measures import BOUNDS_S, Durations, Measures, Stage
from agent.uplink.mqtt.publisher import Health

AGAIN_S = 5.0  # an address that is taken may become free

_LOG = logging.getLogger(__name__)

State = Callable[[], Mapping[str, Any]]


class Uplink(Protocol):
    """The part of the uplink that is needed here."""

    def health(self) -> Health:
        """Return how the connection to the broker is."""


class Metrics:
    """Answers scrapes while `run` runs; a port that is taken is said in the state, and tried again."""

    def __init__(self, config: Config, measures: Measures, state: State, uplink: Uplink) -> None:
        self._host, self._port = listening_at(config.metrics.listen)
        self._registry = CollectorRegistry()
        self._registry.register(_Figures(measures, state, uplink))
        ProcessCollector(namespace="vedette", registry=self._registry)
        self._fault = ""

    def remarks(self) -> list[str]:
        """Return what the state says of it."""
        return [f"metrics: {self._fault}"] if self._fault else []

    def run(self, stop: threading.Event) -> None:
        """Listen until `stop` is set."""
        while not stop.is_set():
            try:
                server, thread = start_http_server(self._port, self._host, registry=self._registry)
            except (OSError, UnicodeError) as error:  # UnicodeError: a host that can be no name
                if not self._fault:
                    _LOG.error("no figures for Prometheus at %s port %d: %s", self._host, self._port, error)
                self._fault = getattr(error, "strerror", None) or str(error)
                stop.wait(AGAIN_S)
                continue
            self._fault = ""
            stop.wait()
            server.shutdown()
            server.server_close()
            thread.join()


class _Figures(Collector):
    """Reads the node at each scrape."""

    def __init__(self, measures: Measures, state: State, uplink: Uplink) -> None:
        self._measures = measures
        self._state = state
        self._uplink = uplink

    def describe(self) -> Iterator[Metric]:
        """Return nothing: registering must not ask the node, which is not running yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield every family as it is now."""
        state = self._state()
        yield InfoMetricFamily("vedette", "This box.", {"node": state["node"], "version": __version__})
        yield _gauge("vedette_uptime_seconds", "Since the agent started.", state["uptime_s"])
        yield _gauge("vedette_degraded", "Reasons in degraded_because.", len(state["degraded_because"]))
        yield _gauge("vedette_clock_synchronised", "Whether the wall clock is.", state["clock"] == "synchronised")
        yield from self._cameras(state["cameras"])
        yield from self._incidents()
        yield from self._delivery(state["outbox"])
        yield _counter("vedette_sound_blocks_dropped", "Blocks of 0.1 s nobody heard.", state["dropped_sound_blocks"])
        models = GaugeMetricFamily("vedette_model_degraded", "Runs elsewhere than it should.", labels=("model",))
        for name, model in state["models"].items():
            models.add_metric((name,), float(model["degraded"]))
        yield models
        yield _histogram(self._measures.durations())

    def _cameras(self, cameras: Mapping[str, Any]) -> Iterator[Metric]:
        labels = ("camera",)
        analysed, looked = self._measures.pictures()
        ages = self._measures.ages_s()
        pictures = CounterMetricFamily("vedette_pictures", "Pictures analysed.", labels=labels)
        looks = CounterMetricFamily("vedette_looks", "Of those, looked at by the detector: not still.", labels=labels)
        skipped = CounterMetricFamily("vedette_pictures_skipped", "Replaced by a newer one, unseen.", labels=labels)
        age = GaugeMetricFamily("vedette_picture_age_seconds", "Of the newest analysed picture.", labels=labels)
        level = GaugeMetricFamily("vedette_sound_level_dbfs", "Newest level.", labels=labels)
        up = GaugeMetricFamily("vedette_source_up", "Whether it is running.", labels=("camera", "modality"))
        drift = GaugeMetricFamily("vedette_model_drift", "Of its scores (PSI).", labels=("camera", "model"))
        for name, camera in cameras.items():
            pictures.add_metric((name,), analysed.get(name, 0))
            looks.add_metric((name,), looked.get(name, 0))
            skipped.add_metric((name,), camera["replaced_pictures"])
            if name in ages:
                age.add_metric((name,), ages[name])
            if camera["level_dbfs"] is not None:
                level.add_metric((name,), camera["level_dbfs"])
            for model, figure in camera["drift"].items():
                if figure is not None:
                    drift.add_metric((name, model), figure)
            for modality in ("vision", "sound"):
                if modality in camera and camera[modality]["status"] != "absent":
                    up.add_metric((name, modality), float(camera[modality]["status"] == "running"))
        yield from (pictures, looks, skipped, age, level, up, drift)

    def _incidents(self) -> Iterator[Metric]:
        raised = CounterMetricFamily(
            "vedette_incidents", "Opened or became severer, no drills.", labels=("camera", "kind", "severity")
        )
        for names, count in self._measures.incidents().items():
            raised.add_metric(names, count)
        yield raised
        still = GaugeMetricFamily("vedette_incidents_open", "Open now.", labels=("camera",))
        for camera, count in self._measures.open_now().items():
            still.add_metric((camera,), count)
        yield still

    def _delivery(self, outbox: Mapping[str, Any]) -> Iterator[Metric]:
        yield _gauge("vedette_outbox_messages", "Messages that wait for the broker.", outbox["depth"])
        yield _gauge("vedette_outbox_bytes", "What they take.", outbox["size_bytes"])
        yield _gauge("vedette_outbox_write_seconds", "Slowest write of late.", outbox["write_ms"] / 1000.0)
        yield _gauge("vedette_broker_connected", "Whether there is a connection.", self._uplink.health().connected)


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=float(value))


def _counter(name: str, what: str, value: float) -> Metric:
    return CounterMetricFamily(name, what, value=float(value))


def _histogram(durations: Mapping[Stage, Durations]) -> Metric:
    family = HistogramMetricFamily(
        "vedette_stage_seconds", "For one picture, block of sound or window of fusion.", labels=("stage",)
    )
    for stage, kept in durations.items():
        total, buckets = 0, []
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), kept.counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        family.add_metric((stage,), buckets, kept.sum_s)
    return family
