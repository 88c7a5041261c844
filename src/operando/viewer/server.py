"""Start and stop the viewer: loopback by default, a random token always."""

import secrets
import socket
import threading
import webbrowser
from pathlib import Path
from types import FrameType

import uvicorn

from operando.model.errors import OperandoError
from operando.viewer.application import create_application, warm_up
from operando.viewer.changes import Changes
from operando.viewer.reader import Reader
from operando.viewer.security import Guard

LOOPBACK = ("127.0.0.1", "localhost", "::1")
GRACE_S = 1


class Server(uvicorn.Server):
    """uvicorn that ends the streams of events as soon as it is asked to stop."""

    def __init__(self, config: uvicorn.Config, changes: Changes) -> None:
        super().__init__(config)
        self.changes = changes

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Close the streams, then stop as usual."""
        self.changes.close()
        super().handle_exit(sig, frame)


def serve(folder: Path, host: str = "127.0.0.1", port: int | None = None, open_browser: bool = True) -> None:
    """Show the results of ``folder`` until interrupted; prints the address with its token.

    Raises ``OperandoError`` where there are no results or the address can't be used.
    """
    reader = Reader(folder)
    warm_up(reader)
    listening = listen(host, port)
    server, address = prepare(reader, listening, host, secrets.token_urlsafe(24))
    print(f"The viewer is at {address}", flush=True)
    if host not in LOOPBACK:
        print(
            f"It listens on {host}: everybody who reaches this machine and knows the token can see every result "
            f"of {folder.resolve().name}; nobody can change anything. The connection is not encrypted.",
            flush=True,
        )
    print("Stop it with Ctrl-C.", flush=True)
    if open_browser:
        threading.Timer(0.5, webbrowser.open, [address]).start()
    server.run(sockets=[listening])


def listen(host: str, port: int | None) -> socket.socket:
    """A socket on ``host``; without ``port`` any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port or 0))
    except (OSError, OverflowError) as error:
        listening.close()
        raise OperandoError(f"{host}:{port}: the viewer can't listen there ({error}); give another --port.") from None
    return listening


def prepare(reader: Reader, listening: socket.socket, host: str, token: str) -> tuple[Server, str]:
    """The server for a socket, and the address that opens the page."""
    port = listening.getsockname()[1]
    changes = Changes(reader)
    guarded = Guard(create_application(reader, changes), token, _names(host, port), f"operando_{port}")
    config = uvicorn.Config(
        guarded,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        lifespan="off",
        ws="none",
    )
    shown = "localhost" if host in LOOPBACK else _reachable(host)
    return Server(config, changes), f"http://{shown}:{port}/?token={token}"


def _names(host: str, port: int) -> frozenset[str]:
    """Host headers that are answered: this machine's names only, so that no foreign page can pose as one."""
    names = {"localhost", "127.0.0.1", "[::1]"}
    if host not in LOOPBACK:
        names |= {host.lower(), _reachable(host).lower(), socket.getfqdn().lower(), *_own_addresses()}
    return frozenset(f"{name}:{port}" for name in names)


def _own_addresses() -> list[str]:
    """Name and addresses of this machine."""
    name = socket.gethostname()
    try:
        return [name.lower(), *socket.gethostbyname_ex(name)[2]]
    except OSError:
        return [name.lower()]


def _reachable(host: str) -> str:
    """The name under which others find this machine."""
    if host in {"0.0.0.0", "::"}:
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
