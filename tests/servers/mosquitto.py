"""A real Mosquitto for tests: TLS, password, ACL and persistence on free ports; it can be killed and hung."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent.config.schema import Broker

USERNAME, PASSWORD = "vedette", "s3cret-näïve"
READER, READER_PASSWORD = "reader", "r3ader"


def find_mosquitto() -> str | None:
    """Return the program, also where Debian keeps it off a user's path."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """Return a port of loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Mosquitto:
    """One broker. `acl` lines are Mosquitto's; without any, everybody may everything."""

    folder: Path
    acl: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Write certificates, passwords and the configuration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "data").mkdir(exist_ok=True)
        make_certificates(self.folder)
        passwords = self.folder / "passwords"
        passwords.touch()
        for name, password in ((USERNAME, PASSWORD), (READER, READER_PASSWORD)):
            subprocess.run(["mosquitto_passwd", "-b", str(passwords), name, password], check=True, capture_output=True)
        lines = [
            "per_listener_settings false",
            "allow_anonymous false",
            f"password_file {passwords}",
            "persistence true",
            f"persistence_location {self.folder}/data/",
            "autosave_on_changes true",
            "autosave_interval 1",
            "max_queued_messages 0",
            *([f"user {'root' if os.geteuid() == 0 else os.environ.get('USER', 'nobody')}"]),
            *self.more,
        ]
        if self.acl:
            (self.folder / "acl").write_text("\n".join(self.acl) + "\n")
            lines.append(f"acl_file {self.folder}/acl")
        lines += [
            f"listener {self.port} 127.0.0.1",
            f"listener {self.tls_port} 127.0.0.1",
            f"cafile {self.folder}/ca.pem",
            f"certfile {self.folder}/server.pem",
            f"keyfile {self.folder}/server.key",
        ]
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        for path in self.folder.iterdir():
            path.chmod(0o755 if path.is_dir() else 0o600)

    def start(self) -> None:
        """Start, and return once it listens."""
        program = find_mosquitto()
        assert program is not None
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [program, "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log, start_new_session=True
            )
        deadline_s = time.monotonic() + 60
        while time.monotonic() < deadline_s:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.tls_port), 0.5):
                return
            time.sleep(0.01)
        raise RuntimeError(f"mosquitto did not start: {(self.folder / 'log').read_text()}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal: SIGSTOP hangs it, SIGCONT goes on, SIGKILL ends it at once."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(60)

    def stop(self) -> None:
        """End it, whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()

    def broker(self, *, tls: bool = True, **changes: object) -> Broker:
        """Return the configuration of a client."""
        url = f"mqtts://localhost:{self.tls_port}" if tls else f"mqtt://127.0.0.1:{self.port}"
        values = {
            "url": url,
            "username": USERNAME,
            "ca_file": str(self.folder / "ca.pem") if tls else "",
            "keepalive_s": 5,
        }
        return Broker.model_validate(values | changes)


@contextlib.contextmanager
def mosquitto(folder: Path, acl: tuple[str, ...] = (), more: tuple[str, ...] = ()) -> Iterator[Mosquitto]:
    """Run a broker in `folder`."""
    server = Mosquitto(folder, acl, more)
    server.prepare()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def make_certificates(folder: Path) -> None:
    """Write ca.pem, server.pem and server.key for localhost, valid for a day, and client.pem, client.key."""
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    _openssl(folder, "req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    signed_by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1"]
    for name, subject in (("server", "localhost"), ("client", "box")):
        _openssl(
            folder, "req", *new_key[:-2], "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={subject}"
        )
        extension = ["-extfile", "names"] if name == "server" else []
        _openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signed_by, "-out", f"{name}.pem", *extension)


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
