"""The page behind HTTP on this machine alone, made anew while results appear: `burstsr serve`."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from burstsr.batch.journal import NAME
from burstsr.core.errors import BurstsrError, OutputError
from burstsr.html_report.site import FOLDER, build

log = logging.getLogger(__name__)
ADDRESS = "127.0.0.1"
_TYPES = {
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".jpg": "image/jpeg", ".png": "image/png",
}  # fmt: skip
_SOURCES = (".json", ".jpg", ".report.npz")
_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEAD = b'<meta charset="utf-8">'
_TIMEOUT_S = 30


class LivePage:
    """The page of folders of results, made at once, and again whenever these change, until it is closed. version: changes with what it shows."""

    def __init__(self, folders: Sequence[Path], out: Path | None = None, interval_s: float = 2.0) -> None:
        """out: as of `site.build`. interval_s: between looks at the folders. Raises OutputError."""
        self.root = (folders[0] / FOLDER if out is None else out).resolve()
        self._folders, self._out = folders, out
        self._ended = threading.Event()
        self._interval_s = interval_s
        self.version = self._seen()
        build(folders, out)
        self._thread = threading.Thread(target=self._watch, name="burstsr-live", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self._interval_s):
            seen = self._seen()
            if seen == self.version:
                continue
            try:
                build(self._folders, self._out)
            except BurstsrError as error:
                log.warning("%s", error)
                continue
            except Exception:  # a fault of one moment must not end the page
                log.warning("the page could not be made", exc_info=True)
                continue
            self.version = seen

    def _seen(self) -> str:
        """Return a digest of names, sizes and times of all sources."""
        digest = hashlib.sha256()
        for folder in self._folders:
            for path in sorted(folder.iterdir()):
                if path.name.endswith(_SOURCES) or path.name == NAME:
                    try:
                        status = path.stat()
                    except OSError:
                        continue
                    digest.update(repr((str(path), status.st_size, status.st_mtime_ns)).encode())
        return digest.hexdigest()[:16]


def server(page: LivePage, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of the page on ADDRESS, not yet serving. port: 0 chooses a free one. Raises OutputError where it is taken."""

    class Handler(_Handler):
        live = page

    try:
        made = ThreadingHTTPServer((ADDRESS, port), Handler)
    except (OSError, OverflowError) as error:
        raise OutputError(f"{ADDRESS}:{port}: cannot be served ({getattr(error, 'strerror', None) or error}); choose another --port") from error
    made.daemon_threads = True
    return made


def file_of(root: Path, target: str) -> Path | None:
    """Return the file below `root` (resolved) that a request names, or None: nothing outside, through links or otherwise, and nothing hidden."""
    try:
        path = unquote(urlsplit(target).path, errors="strict")
    except ValueError:
        return None
    parts = path.removeprefix("/").split("/")
    if parts[-1] == "":
        parts[-1] = "index.html"
    if any(not part or part.startswith(".") or any(c in part for c in "\\:\0") for part in parts):
        return None
    try:
        found = root.joinpath(*parts).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        return None
    return found if found.is_relative_to(root) and found.is_file() and found.suffix in _TYPES else None


class _Handler(BaseHTTPRequestHandler):
    live: LivePage
    timeout = _TIMEOUT_S
    server_version = "burstsr"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer a request."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer a request without the content."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host not in (ADDRESS, "localhost"):  # a foreign name that resolves to this machine
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        if urlsplit(self.path).path == "/version":
            self._send(self.live.version.encode(), "text/plain; charset=utf-8", "no-store", body)
            return
        path = file_of(self.live.root, self.path)
        version = self.live.version  # before the file is read: a page that changes in between is loaded again
        try:
            content = path.read_bytes() if path else None
        except OSError:  # replaced at this moment
            content = None
        if path is None or content is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        if path.suffix == ".html":
            content = content.replace(_HEAD, _HEAD + f'\n<meta name="burstsr-live" content="{version}">'.encode(), 1)
        stays = any(part.startswith("img-") for part in path.relative_to(self.live.root).parts)  # a folder whose name tells its content
        self._send(content, _TYPES[path.suffix], "max-age=31536000, immutable" if stays else "no-cache", body)

    def _send(self, content: bytes, kind: str, cache: str, body: bool) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(content))), ("Cache-Control", cache)):
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def end_headers(self) -> None:
        """Add what every answer has."""
        for name, value in (("Content-Security-Policy", _POLICY), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer")):
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log requests for debugging only."""
        log.debug(format, *args)
