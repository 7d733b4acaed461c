"""`burstsr serve`: the page, nothing else, to this machine alone, and as new as the results."""

import http.client
import os
import threading
import time
from contextlib import contextmanager

import pytest
from html_report.results import write_result

from burstsr.core.errors import OutputError
from burstsr.html_report.server import ADDRESS, LivePage, file_of, server


@contextmanager
def served(folder, interval_s=0.05):
    """The port of a server of the page of `folder`."""
    with LivePage([folder], interval_s=interval_s) as page, server(page) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield made.server_port
        finally:
            made.shutdown()
            thread.join()


def ask(port, path, method="GET", **headers):
    """Status, headers and content of an answer; the path is sent as it is."""
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


@pytest.fixture
def results(tmp_path):
    out = tmp_path / "out"
    write_result(out, "harbour")
    (tmp_path / "secret.html").write_text("secret")
    (out / "secret.html").write_text("secret")
    return out


def test_the_page_is_served_with_its_policy(results):
    with served(results) as port:
        status, headers, content = ask(port, "/")
        assert status == 200 and b"harbour" in content and b'name="burstsr-live"' in content
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        status, headers, content = ask(port, "/assets/viewer.js", "HEAD")
        assert status == 200 and content == b"" and int(headers["Content-Length"]) > 1000 and "javascript" in headers["Content-Type"]
        assert ask(port, "/", "POST")[0] == 501 and ask(port, "/", Host="evil.example:80")[0] == 421 and ask(port, "/", Host=f"localhost:{port}")[0] == 200


OUTSIDE = (
    "/../secret.html", "/..%2fsecret.html", "/%2e%2e/secret.html", "/assets/../../secret.html", "/..\\secret.html", "/%5c..%5csecret.html", "//secret.html",
    "/assets/%00", "/C:/secret.html", "/.hidden.html", "/link.html", "/folder/secret.html", "/burstsr-report.json",
    "/assets", "/assets/", "/%ff", "/" + "a" * 5000,
)  # fmt: skip


def test_nothing_else_is_served(results):
    report = results / "report"
    with served(results) as port:
        if os.name != "nt":  # where links are a privilege
            (report / "link.html").symlink_to(results / "secret.html")
            (report / "folder").symlink_to(results)
        (report / ".hidden.html").write_text("secret")
        for path in OUTSIDE:
            status, _, content = ask(port, path)
            assert status == 404 and content.count(b"secret") <= path.count("secret"), path
        absolute = ask(port, f"http://{ADDRESS}/../secret.html")
        assert absolute[0] == 404
    assert file_of(report.resolve(), "/index.html?x=1#y") == report.resolve() / "index.html"


def test_new_results_appear(results):
    with served(results) as port:
        before = ask(port, "/version")[2]
        assert ask(port, "/version")[2] == before
        write_result(results, "tower")
        end = time.monotonic() + 20
        while ask(port, "/version")[2] == before:
            assert time.monotonic() < end
            time.sleep(0.02)
        assert b"tower" in ask(port, "/")[2]


def test_only_this_machine_is_answered_and_a_taken_port_is_an_error(results):
    with LivePage([results]) as page, server(page) as made:
        assert made.server_address[0] == "127.0.0.1"
        with pytest.raises(OutputError, match="cannot be served"):
            server(page, made.server_port)
