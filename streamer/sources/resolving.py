"""Names of hosts looked up, with a timeout, and so that it can be given up: the system's own call knows neither."""

import ipaddress
import socket
import threading
import time
from dataclasses import dataclass, field

from streamer.sources.reach import IPAddress

_LOOK_S = 0.05


class NotResolved(Exception):
    """A name has no address here. what: why, for people."""

    def __init__(self, what: str, hint: str | None = None) -> None:
        self.what = what
        self.hint = hint
        super().__init__(what)


@dataclass(slots=True)
class _Answer:
    done: threading.Event = field(default_factory=threading.Event)
    addresses: list[IPAddress] = field(default_factory=list)
    error: Exception | None = None


def addresses_of(host: str, *, timeout_s: float, closing: threading.Event) -> list[IPAddress]:
    """The addresses of `host`, best first; of 2130706433 and 0177.1 too, which the system takes for 127.0.0.1.

    closing: gives it up, once set; nothing is found then.

    Raises NotResolved: there is no such host, or nobody answers within `timeout_s`.
    """
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    answer = _Answer()
    # The one thread that may outlive its purpose: nothing ends a look-up, and the interpreter would wait for it.
    threading.Thread(target=_look_up, args=(host, answer), name="streamer-lookup", daemon=True).start()
    deadline_s = time.monotonic() + timeout_s
    while not answer.done.wait(_LOOK_S):
        if closing.is_set():
            return []
        if time.monotonic() > deadline_s:
            hint = "is there a network, and does its name server work?"
            raise NotResolved(f"nobody tells the address of {host} within {timeout_s:g} s", hint)
    if answer.error is not None:
        again = isinstance(answer.error, socket.gaierror) and answer.error.errno == socket.EAI_AGAIN
        raise NotResolved(f"no such host: {host}", "no name server answers" if again else None)
    return answer.addresses


def _look_up(host: str, answer: _Answer) -> None:
    try:
        for _, _, _, _, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
            ip = ipaddress.ip_address(str(address[0]))
            if ip not in answer.addresses:
                answer.addresses.append(ip)
    except (OSError, UnicodeError, ValueError) as error:
        answer.error = error
    finally:
        answer.done.set()
