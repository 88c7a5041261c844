"""A viewer in a thread of the test's own process."""

import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from operando.viewer import server
from operando.viewer.reader import Reader

TOKEN = "right-token"
SCANS = [0, 8, 16, 24, 36]


@dataclass
class Running:
    """A server in a thread of this process."""

    folder: Path
    port: int
    address: str
    server: server.Server

    def ask(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> tuple[HTTPResponse, bytes]:
        """Ask as the page does, with its cookie."""
        sent = {"Cookie": f"operando_{self.port}={TOKEN}"} if headers is None else headers
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, headers=sent)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content


def start(folder: Path, port: int | None = None) -> tuple[Running, threading.Thread]:
    listening = server.listen("127.0.0.1", port)
    made, address = server.prepare(Reader(folder), listening, "127.0.0.1", TOKEN)
    thread = threading.Thread(target=made.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not made.started:
        time.sleep(0.01)
    return Running(folder, listening.getsockname()[1], address, made), thread


def stop(running: Running, thread: threading.Thread) -> float:
    """Stop a server; returns the seconds it took."""
    began = time.perf_counter()
    running.server.handle_exit(2, None)
    thread.join(20)
    return time.perf_counter() - began
