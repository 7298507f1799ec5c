"""Downloads against a real server on this machine: whatever goes wrong, nothing wrong and nothing half stays."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from socratic.downloads import FILES, Origin, PinnedFile, Progress, _Redirects, download, download_file, sets
from socratic.errors import DataError, RunError, SocraticError, UsageError

CONTENT = b'{"question": "1 + 1?"}\n' * 9000  # more than one piece
FILE = PinnedFile(Origin("toy", "somebody/toys/abc"), "toy.jsonl", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


class Server(ThreadingHTTPServer):
    """Serves `content`; says `claimed` as its length if given; answers the first `failing` requests with `status`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.claimed, self.status, self.failing = CONTENT, 0, 500, 0
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if len(self.server.asked) <= self.server.failing:
            self.send_error(self.server.status)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(self.server.claimed or len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def files_under(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def refused(server: Server, cache: Path) -> SocraticError:
    with pytest.raises(SocraticError) as caught:
        download_file(FILE, cache=cache, mirror=server.address)
    assert caught.value.hint
    assert files_under(cache) == []
    return caught.value


def test_the_pinned_file_arrives_whole_with_progress(server: Server, tmp_path: Path) -> None:
    seen: list[Progress] = []
    place = download_file(FILE, cache=tmp_path, mirror=server.address + "/", progress=seen.append)
    assert files_under(tmp_path) == [place] == [tmp_path / "toy" / "toy.jsonl"]
    assert place.read_bytes() == CONTENT
    assert server.asked == ["/somebody/toys/abc/toy.jsonl"]
    assert len(seen) > 1
    assert seen[-1] == Progress("toy/toy.jsonl", len(CONTENT), len(CONTENT))


def test_a_right_file_that_is_there_is_not_asked_for(server: Server, tmp_path: Path) -> None:
    seen: list[Progress] = []
    download_file(FILE, cache=tmp_path, mirror=server.address)
    download_file(FILE, cache=tmp_path, mirror=server.address, progress=seen.append)
    assert len(server.asked) == 1
    assert [message.was_here for message in seen] == [True]


def test_a_wrong_file_that_is_there_is_replaced(server: Server, tmp_path: Path) -> None:
    place = tmp_path / FILE.place
    place.parent.mkdir()
    place.write_bytes(CONTENT[:-1] + b"!")
    download_file(FILE, cache=tmp_path, mirror=server.address)
    assert place.read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"!", CONTENT + b"more", CONTENT * 3, b""])
def test_a_changed_file_is_refused_with_both_sums(server: Server, tmp_path: Path, content: bytes) -> None:
    server.content = content
    error = refused(server, tmp_path)
    assert isinstance(error, DataError)
    assert FILE.sha256 in str(error)
    assert str(FILE.bytes) in str(error)


def test_a_file_that_breaks_off_is_tried_once_more_and_then_refused(server: Server, tmp_path: Path) -> None:
    server.content, server.claimed = CONTENT[:1000], len(CONTENT)
    error = refused(server, tmp_path)
    assert isinstance(error, DataError)
    assert hashlib.sha256(CONTENT[:1000]).hexdigest() in str(error)
    assert "found 1000 " in str(error)
    assert len(server.asked) == 2


def test_a_wrong_file_that_is_there_survives_a_failed_download(server: Server, tmp_path: Path) -> None:
    place = tmp_path / FILE.place
    place.parent.mkdir()
    place.write_bytes(b"mine")
    server.failing = 9
    with pytest.raises(RunError):
        download_file(FILE, cache=tmp_path, mirror=server.address)
    assert [path.read_bytes() for path in files_under(tmp_path)] == [b"mine"]


def test_a_missing_file_is_not_asked_for_twice(server: Server, tmp_path: Path) -> None:
    server.status, server.failing = 404, 9
    error = refused(server, tmp_path)
    assert isinstance(error, RunError)
    assert "404" in str(error)
    assert len(server.asked) == 1


def test_a_server_that_stumbles_once_is_forgiven(server: Server, tmp_path: Path) -> None:
    server.status, server.failing = 503, 1
    assert download_file(FILE, cache=tmp_path, mirror=server.address).read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_refused_connection_says_how_to_go_on(tmp_path: Path) -> None:
    with Server() as closed:
        address = closed.address
    with pytest.raises(RunError, match="cannot get http://127") as caught:
        download_file(FILE, cache=tmp_path, mirror=address)
    assert str(tmp_path / FILE.place) in caught.value.hint
    assert files_under(tmp_path) == []


def test_a_cache_that_cannot_be_written_is_an_error_with_a_hint(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(RunError, match="cannot write") as caught:
        download_file(FILE, cache=tmp_path / "file", mirror=server.address)
    assert caught.value.hint


@pytest.mark.parametrize("mirror", ["ftp://example.org", "file:///etc", "example.org", ""])
def test_other_transports_are_refused(tmp_path: Path, mirror: str) -> None:
    with pytest.raises(UsageError, match="https"):
        download_file(FILE, cache=tmp_path, mirror=mirror)
    assert files_under(tmp_path) == []


def test_no_redirect_leads_from_https_to_http() -> None:
    request, body, headers = urllib.request.Request("https://example.org/a"), io.BytesIO(), HTTPMessage()
    with pytest.raises(urllib.error.URLError, match="redirected"):
        _Redirects().redirect_request(request, body, 302, "Found", headers, "http://example.org/b")
    followed = _Redirects().redirect_request(request, body, 302, "Found", headers, "https://example.org/b")
    assert followed is not None
    assert followed.full_url == "https://example.org/b"


def test_unknown_sets_are_refused_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gsm8k, svamp, strategyqa") as caught:
        download(["gsm8k", "swamp"], cache=tmp_path)
    assert "svamp" in caught.value.hint
    assert files_under(tmp_path) == []


def test_the_table_is_well_formed() -> None:
    assert sets() == ("gsm8k", "svamp", "strategyqa")
    assert len({file.place for file in FILES}) == len(FILES)
    for file in FILES:
        assert len(bytes.fromhex(file.sha256)) == 32
        repository, commit = "/".join(file.origin.folder.split("/")[:2]), file.origin.folder.split("/")[2]
        assert len(bytes.fromhex(commit)) == 20, f"{repository} is not pinned to a commit"
        assert ".." not in file.place
        assert "/" not in file.name


real = pytest.mark.skipif(not os.environ.get("SOCRATIC_DATA"), reason="SOCRATIC_DATA names no folder with the real files")


@real
def test_a_set_is_brought_by_its_name(server: Server, tmp_path: Path) -> None:
    server.content = (Path(os.environ["SOCRATIC_DATA"]) / "svamp" / "SVAMP.json").read_bytes()
    assert download(["svamp"], cache=tmp_path, mirror=server.address) == [tmp_path / "svamp" / "SVAMP.json"]
    assert server.asked == ["/arkilpatel/SVAMP/689d7ccac74b9983a2ac7cc3b264f441b99e7c53/SVAMP.json"]


@real
def test_the_table_has_the_sums_of_the_real_files() -> None:
    folder = Path(os.environ["SOCRATIC_DATA"])
    for file in FILES:
        plain = folder / file.place
        content = plain.read_bytes() if plain.is_file() else gzip.decompress(Path(f"{plain}.gz").read_bytes())
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.bytes, file.sha256), file.place
