"""A hub of published weights on this machine, which the hub's own client asks: one file, and what is said of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "0" * 40


@dataclass
class PublishedFile:
    """What the hub sends, and the digest that it gives for it."""

    content: bytes
    sha256: str


class HubHandler(BaseHTTPRequestHandler):
    """Answers as the hub does: a large file is described where it is asked for, and lies on another host."""

    def __init__(self, published: PublishedFile, *arguments: object) -> None:
        self.published = published
        super().__init__(*arguments)

    def do_HEAD(self) -> None:
        digest, size = f'"{self.published.sha256}"', str(len(self.published.content))
        self.send_response(302)
        self.send_header("Location", f"http://localhost:{self.server.server_port}/stored")
        for name, value in (("Repo-Commit", COMMIT), ("Linked-Etag", digest), ("Linked-Size", size)):
            self.send_header(f"X-{name}", value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.published.content)))
        self.end_headers()
        self.wfile.write(self.published.content)

    def log_message(self, *_said: object) -> None:
        pass


@contextmanager
def served_hub(content: bytes) -> Iterator[tuple[str, PublishedFile]]:
    """Yield the hub's address, and what it publishes, which may be changed."""
    published = PublishedFile(content, hashlib.sha256(content).hexdigest())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(HubHandler, published))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", published
    finally:
        server.shutdown()
        server.server_close()
