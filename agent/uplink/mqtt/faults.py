"""What can go wrong between us and a broker, in words, each with its cure."""

import socket
import ssl
from typing import Literal

from paho.mqtt.reasoncodes import ReasonCode

from agent.errors import UplinkError

Fault = Literal[
    "dns", "refused", "unreachable", "timeout", "tls", "login", "not_allowed", "protocol", "taken_over", "lost"
]

_LOGIN_CODES = {0x86, 0x87, 0x8C}  # bad user name or password, not authorized, bad authentication method
_UNSPECIFIED = 0x80
_UNSUPPORTED_PROTOCOL = 0x84
_KEEPALIVE_TIMEOUT = 0x8D
_TAKEN_OVER = 0x8E


class BrokerError(UplinkError):
    """The broker cannot be reached or refuses us; `fault` says which way."""

    def __init__(self, what: str, *, fault: Fault, why: str = "", cure: str = "") -> None:
        super().__init__(what, why=why, cure=cure)
        self.fault: Fault = fault


def connect_error(error: Exception, address: str) -> BrokerError:
    """Return what went wrong on the way to the broker."""
    if isinstance(error, TimeoutError):
        return timed_out(address)
    if isinstance(error, ssl.SSLCertVerificationError):
        return BrokerError(
            f"the certificate of the broker {address} is not trusted",
            fault="tls",
            why=error.verify_message or "verification failed",
            cure="Set broker.ca_file to the authority that signed it, and use the host name that stands in it.",
        )
    fault, why, cure = _reason(error)
    return BrokerError(f"the broker {address} cannot be reached", fault=fault, why=why, cure=cure)


def _reason(error: Exception) -> tuple[Fault, str, str]:
    if isinstance(error, socket.gaierror | UnicodeError):
        return "dns", "its name is unknown", "Check broker.url and the name server."
    if isinstance(error, ssl.SSLError):
        why = (error.reason or "the handshake failed").lower().replace("_", " ")
        return "tls", f"TLS, {why}", "Is this the TLS port? Write mqtt:// where it is not."
    if isinstance(error, ConnectionRefusedError):
        return "refused", "nothing listens there", "Start the broker, or correct broker.url."
    if isinstance(error, ConnectionError):
        return "protocol", "it hangs up at once", "Check the port, and mqtt:// or mqtts:// in broker.url."
    if isinstance(error, OSError) and error.strerror:
        return "unreachable", error.strerror.lower(), "Check the network and broker.url."
    return "protocol", "it does not answer in MQTT", "Check the port in broker.url."


def timed_out(address: str) -> BrokerError:
    """Return the error of a broker that did not answer in time."""
    return BrokerError(
        f"the broker {address} does not answer",
        fault="timeout",
        why="no answer in time",
        cure="Check that it runs, its port, and mqtt:// or mqtts:// in broker.url.",
    )


def refusal(reason: ReasonCode, address: str, username: str) -> BrokerError:
    """Return the error that a refusing CONNACK stands for."""
    if reason.value == _UNSUPPORTED_PROTOCOL:
        return BrokerError(f"the broker {address} speaks another MQTT", fault="protocol", why=str(reason).lower())
    if reason.value in _LOGIN_CODES:
        return BrokerError(
            f"the broker {address} refuses {f'the user {username!r}' if username else 'a client without login'}",
            fault="login",
            why=str(reason).lower(),
            cure="Correct broker.username, and the password with `vedette config set-password`.",
        )
    return BrokerError(
        f"the broker {address} refuses the connection",
        fault="protocol",
        why=str(reason).lower(),
        cure="See the broker's log.",
    )


def loss(reason: ReasonCode, address: str) -> BrokerError:
    """Return the error of an open connection that ended, and not by us."""
    if reason.value == _TAKEN_OVER:
        return BrokerError(
            f"the broker {address} dropped us",
            fault="taken_over",
            why="another box uses the same node name",
            cure="Give each box its own node.name.",
        )
    hangs = reason.value == _KEEPALIVE_TIMEOUT or "keep alive" in str(reason).lower()
    return BrokerError(
        f"the connection to the broker {address} is lost",
        fault="timeout" if hangs else "lost",
        why="closed without a reason" if reason.value == _UNSPECIFIED else str(reason).lower(),
        cure="Messages wait until it is back.",
    )
