"""Whom a stream over TLS is believed: the certificates that this system trusts, and why one is not among them."""

import socket
import ssl
from pathlib import Path

from streamer.text import printable

OVER_TLS = frozenset({"https", "rtsps", "rtmps"})

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS
)

HINT = "--source-options ca_file=FILE names one to trust, tls_verify=0 takes any"


def tls_options(given: dict[str, str]) -> dict[str, str]:
    """FFmpeg's options that have it look at certificates, unless `given` says that it shall not."""
    bundle = given.get("ca_file") or trusted_bundle()
    return {"tls_verify": "1"} | ({} if bundle is None else {"ca_file": bundle}) | given


def trusted_bundle() -> str | None:
    """The file of certificates that this system trusts; None where it has no such file. SSL_CERT_FILE names another."""
    known = ssl.get_default_verify_paths().cafile
    return next((path for path in (known, *_BUNDLES) if path and Path(path).is_file()), None)


def why_untrusted(opened: socket.socket, host: str, options: dict[str, str]) -> str | None:
    """Why the certificate that comes on `opened` is not trusted; None if it is.

    opened: just connected, with a timeout; it is used up.

    Raises OSError: it does not come to a certificate.
    """
    try:
        context = ssl.create_default_context(cafile=options.get("ca_file"))
    except OSError:
        return f"{printable(options.get('ca_file', ''))} cannot be read"
    try:
        with context.wrap_socket(opened, server_hostname=host):
            return None
    except ssl.SSLCertVerificationError as error:
        return printable(error.verify_message or "it cannot be checked", limit=160)
    except ValueError:
        return "it is for a name that cannot be checked"
