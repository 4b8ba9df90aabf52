"""Notifications to systemd, sd_notify(3): one datagram each; nothing without systemd."""

import socket
from contextlib import suppress

from pipeline import config


def notify(state: str) -> None:
    """Send a state: ``READY=1``, ``WATCHDOG=1`` or ``STOPPING=1``.  A failure is ignored."""
    address = config.notify_socket()
    if not address:
        return
    with (
        suppress(OSError),  # systemd is gone: so be it
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel,
    ):
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.send(state.encode())
