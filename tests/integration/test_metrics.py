"""Prometheus scrapes a running agent."""

import time
from pathlib import Path

import pytest

from agent.service.telemetry.drift_watch import FILE, SENSES, read
from tests.servers.agent import CONFIG, PATIENCE_S, Agent, running
from tests.servers.mosquitto import free_port
from tests.service.telemetry.test_metrics import scraped

pytestmark = pytest.mark.integration

CAMERA = """
[metrics]
listen = "127.0.0.1:{port}"
[cameras.hall]
url = "lavfi:testsrc2=size=320x180:rate=10[out0];sine=200:sample_rate=16000[out1]"
[cameras.yard]
url = "/nowhere/at/all.mp4"
"""


def test_a_running_agent_tells_how_it_is(tmp_path: Path) -> None:
    port = free_port()
    config = CONFIG.format(port=free_port(), node="box") + CAMERA.format(port=port)  # nobody is at the broker's port
    with running(Agent(tmp_path / "box", config)) as agent:
        given_up_s = time.monotonic() + PATIENCE_S
        told = scraped(port)
        while told["vedette_pictures_total"].get(("hall",), 0) < 20 and time.monotonic() < given_up_s:
            time.sleep(0.2)
            told = scraped(port)
        assert agent.is_alive()
        assert told["vedette_pictures_total"][("hall",)] >= 20
        assert told["vedette_looks_total"][("hall",)] > 10
        assert told["vedette_stage_seconds_count"][("see",)] >= 20
        assert told["vedette_stage_seconds_count"][("hear",)] > 5
        assert 0 < told["vedette_stage_seconds_sum"][("see",)] < 60
        assert 0 <= told["vedette_picture_age_seconds"][("hall",)] < 60
        assert told["vedette_source_up"][("hall", "vision")] == 1.0
        assert told["vedette_source_up"][("yard", "vision")] == 0.0
        assert told["vedette_sound_level_dbfs"][("hall",)] < 0
        assert told["vedette_broker_connected"][()] == 0.0
        assert told["vedette_process_cpu_seconds_total"][()] > 0
        assert "vedette_model_drift" not in told, "nothing is known in the first days"
        assert agent.stop() == 0
        kept = read(agent.state / FILE)
        assert all(sum(kept["hall"][sense].reference) >= 1 for sense in SENSES)
        assert all(sum(kept["yard"][sense].reference) == 0 for sense in SENSES)
