"""An MQTT broker inside the process, for the demo: on loopback, at a free port, gone at the end.

amqtt speaks MQTT 3.1.1 only and keeps nothing on disk: never the broker of an installation.
"""

import asyncio
import logging
import socket
import threading
from types import TracebackType
from typing import Any

from amqtt.broker import Broker
from amqtt.errors import AMQTTError, BrokerError, PluginError

from agent.errors import WorkerError

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0


class EmbeddedBroker:
    """A running broker: `with EmbeddedBroker() as broker: … broker.url`."""

    def __init__(self) -> None:
        self._port = 0
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._ending: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    @property
    def url(self) -> str:
        """Where clients of this machine find it."""
        return f"mqtt://127.0.0.1:{self._port}"

    def __enter__(self) -> "EmbeddedBroker":
        _hush()
        self._port = _free_port()
        self._thread.start()
        if not self._started.wait(START_TIMEOUT_S) or self._failure is not None:
            reason = f"{type(self._failure).__name__}, {self._failure}" if self._failure else "no answer in time"
            raise WorkerError("the embedded broker did not start", why=reason, cure="Try again.") from self._failure
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        if self._ending is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(STOP_TIMEOUT_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except (OSError, RuntimeError, ValueError, AMQTTError, BrokerError, PluginError) as error:
            self._failure = error
        finally:
            self._started.set()
            self._loop.close()

    async def _serve(self) -> None:
        self._ending = asyncio.Event()
        broker = Broker(_settings(self._port))
        await broker.start()
        self._started.set()
        await self._ending.wait()
        await broker.shutdown()


def _settings(port: int) -> dict[str, Any]:
    return {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": 50}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }


def _hush() -> None:
    """Its log is about clients coming and going, and about clients that leave without goodbye."""
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
