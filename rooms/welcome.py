"""What `rooms dev` shows once it serves: the address for phones, a QR code, a browser window."""

from __future__ import annotations

import io
import os
import socket
import sys
import threading
from urllib.parse import urlsplit


def lan_url(url: str) -> str | None:
    """The same server's address on the local network; None without one."""
    # Connecting a datagram socket sends nothing: it only chooses the way out, and so our address.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address: str = probe.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith("127.") else f"http://{address}:{urlsplit(url).port}"


def qr_code(url: str) -> str:
    """The URL as a QR code of half blocks, for a terminal."""
    import segno

    out = io.StringIO()
    segno.make(url, micro=False).terminal(out, compact=True)
    return out.getvalue().rstrip("\n")


def open_browser(url: str) -> None:
    """Open a window, where there is a display; doesn't wait for it."""
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
