"""A web server for tests of downloads, as bad as asked for."""

import socket
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = b"pt1,eta1,phi1\n" + b"4.5,-1.25,0.5\n" * 20_000


class Server(ThreadingHTTPServer):
    """Serves `content`; the switches say how badly."""

    content = CONTENT
    ranges = True
    closes_after = None  # bytes of the body
    says_length = True
    status = None
    stalls = False
    shift = 0  # where a partial answer really begins, relative to what was asked


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        server.asked.append(asked)
        if server.stalls:
            server.released.wait(5)
            return
        if server.status:
            self.send_error(server.status)
            return
        start = max(asked + server.shift, 0) if server.ranges else 0
        if start and start >= len(server.content):
            self.send_error(416)
            return
        self._send(start, partial=server.ranges and "Range" in self.headers)

    def _send(self, start, partial):
        body = self.server.content[start:]
        self.send_response(206 if partial else 200)
        if partial:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(self.server.content) - 1}/{len(self.server.content)}"
            )
        if self.server.says_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.closes_after])

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    """A server in a thread; `asked` collects the first byte of each request."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.asked, server.released = [], threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


@contextmanager
def answering(answer):
    """A server whose every answer are these bytes; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, suppress(OSError):
                        connection.settimeout(1)
                        connection.recv(5000)
                        connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
