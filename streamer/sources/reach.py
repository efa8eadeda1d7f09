"""What a stream may lead to: judged by the addresses that names really have, not by how they are written.

A person may watch whatever stands in the own network. A stream must not make use of that: what a playlist or a
redirect names is reached only if it is no more private than the server that names it.
"""

import ipaddress
from enum import IntEnum

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Privacy(IntEnum):
    """How near an address is; what is led to must not be nearer than where it was led from."""

    PUBLIC = 0
    PRIVATE = 1
    THIS_MACHINE = 2


METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            *("169.254.169.254", "169.254.169.253", "169.254.170.2", "169.254.170.23", "100.100.100.200"),
            *("168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd00:ec2::253", "fd00:ec2::23", "fd20:ce::254"),
        ),
    )
)
"""Where clouds give machines their secrets: no camera lives there."""

_CARRIER_NAT = ipaddress.ip_network("100.64.0.0/10")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


def why_refused(ip: IPAddress, *, led_from: Privacy | None) -> str | None:
    """Why `ip` must not be reached; None if it may. led_from: of the server that leads there, None where a person does.

    An address of a link (169.254.x.y, fe80::) is that of a camera without a network of its own: people may name it.
    """
    ip = embedded(ip)
    if ip in METADATA:
        return "machines in a cloud get their secrets there"
    if led_from is None:
        return None
    if ip.is_link_local or ip.is_multicast:
        return "no stream leads to addresses of this kind"
    if privacy_of(ip) > led_from:
        return "it is nearer to this machine than the server that leads there"
    return None


def privacy_of(ip: IPAddress) -> Privacy:
    """Of an address, or of the one that is embedded in it."""
    ip = embedded(ip)
    if ip.is_loopback or ip.is_unspecified:
        return Privacy.THIS_MACHINE
    if not ip.is_global or ip in _CARRIER_NAT:
        return Privacy.PRIVATE
    return Privacy.PUBLIC


def embedded(ip: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 one stands for; else itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    found = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
    if found is None and (ip in _NAT64 or (ip in _COMPATIBLE and int(ip) > 1)):
        found = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip if found is None else found
