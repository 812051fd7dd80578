"""Whose certificates are believed, and why one was not: FFmpeg itself says no more than «input/output error»."""

import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from agent.errors import SourceError

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
)
"""The GnuTLS inside of PyAV's wheel looks only where Red Hat keeps the authorities, so the file is named to it."""
_OTHER_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_NOT_NOW = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_LOOK_S = 3.0

_TRUST = (
    "Set tls_ca_file of the camera to a PEM file with the authority that signed it, or with the certificate itself; "
    "tls_verify = false believes anybody."
)
_NAME = "Put the name that stands in the certificate into the URL, or give the camera a certificate for its address."
_TIME = "Renew it, and check the clocks of the camera and of this box."


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A server whose certificate is verified against `ca_file`."""

    host: str
    port: int
    ca_file: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a certificate is not believed, and what to do."""

    why: str
    cure: str


def authorities(ca_file: str, shown: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the PEM file to believe: `ca_file`, or if it is empty the system's. Raises SourceError."""
    places = (ca_file,) if ca_file else (environ.get("SSL_CERT_FILE", ""), *_BUNDLES)
    found = next((place for place in places if place and os.path.isfile(place)), None)
    if found is not None and os.access(found, os.R_OK):
        return found
    if ca_file:
        why, cure = f"tls_ca_file {ca_file} cannot be read", "Check its path and who may read it."
    else:
        why, cure = "this system has no list of authorities", f"sudo apt-get install ca-certificates. {_TRUST}"
    raise SourceError(f"{shown} cannot be read", fault="refused", why=why, cure=cure)


def refusal(peer: Peer, timeout_s: float = _LOOK_S) -> Refusal | None:
    """Look at the certificate of `peer` once more, sending nothing; None: it is not what was wrong."""
    try:
        context = ssl.create_default_context(cafile=peer.ca_file)
        with socket.create_connection((peer.host, peer.port), timeout_s) as connection:
            context.wrap_socket(connection, server_hostname=peer.host).close()
    except ssl.SSLCertVerificationError as error:
        return _refused(error)
    except ssl.SSLError as error:
        if _is_about_the_file(error):
            return Refusal(f"{peer.ca_file} holds no certificate that can be read", _TRUST)
        return Refusal("it does not answer with TLS", "Check the port, and whether it is rtsp:// or http:// there.")
    except (OSError, ValueError):
        return None
    return None


def _refused(error: ssl.SSLCertVerificationError) -> Refusal:
    sentence = error.verify_message.rstrip(".")
    if error.verify_code in _OTHER_NAME:
        return Refusal(f"its certificate is for another name: {sentence}", _NAME)
    if error.verify_code in _NOT_NOW:
        return Refusal(f"its certificate is not valid now: {sentence}", _TIME)
    return Refusal(f"its certificate is not trusted: {sentence}", _TRUST)


def _is_about_the_file(error: ssl.SSLError) -> bool:
    match error:
        case ssl.SSLError(library="X509" | "PEM"):
            return True
    return False
