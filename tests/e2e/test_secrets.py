"""FAULTS 60: passwords of every kind, in every place where one can be written, and all that is left of a run."""

import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from streamer.errors import SourceError
from streamer.sources import SourceOptions, open_source
from streamer.streaming import stream
from streamer.text import printable, redacted, safe_file_name
from tests import loopback
from tests.faults.figures import report
from tests.streams import free_port, mjpeg_server, wait_for

SECRET = "s3cr3tW0rd"

QUERIES = (
    *("token", "auth", "password", "passwd", "pwd", "key", "api_key", "apikey", "access_token", "sig", "signature"),
    *(
        "X-Amz-Signature",
        "Policy",
        "Key-Pair-Id",
        "session",
        "sessionid",
        "user",
        "usr",
        "passphrase",
        "streamid",
        "jwt",
    ),
    *("Token", "AUTH", "hdnts-token", "login", "credential"),
)

USERINFO = tuple(
    text.replace("W", SECRET)
    for text in (
        *("anna:W", "anna:a@W", "anna:a:W", "anna:a/W", "anna:#W", "anna:%40W", "anna:?W", "anna:a b W"),
        *("W:x", "an@na:W", ":W", "W"),
    )
)

PLACES = ("127.0.0.1:{port}/live/a", "127.0.0.1:{port}/Streaming/channels/101?a=b")


def addresses(port: int) -> Iterator[str]:
    """One of each kind."""
    for scheme in ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "tcp", "udp", "srt"):
        for userinfo in USERINFO:
            for place in PLACES:
                yield f"{scheme}://{userinfo}@{place.format(port=port)}"
        for name in QUERIES:
            yield f"{scheme}://127.0.0.1:{port}/a?x=1&{name}={SECRET}&y=2"
            yield f"{scheme}://127.0.0.1:{port}/a#{name}={SECRET}"
    yield f"rtsp://127.0.0.1:{port}/user=admin_password={SECRET}_channel=1_stream=0.sdp"
    yield f"rtsp://127.0.0.1:{port}/user=admin&password={SECRET}&channel=1"
    yield f"rtmp://127.0.0.1:{port}/live2/abcd-efgh-{SECRET}-1234"
    yield f"http://127.0.0.1:{port}/{'x' * 500}?token={SECRET}"


def told_of(error: BaseException) -> str:
    """All that a person or a program finds of an error: itself, its causes, and the whole traceback."""
    said = "".join(traceback.format_exception(error))
    cause: BaseException | None = error
    while cause is not None:
        said += repr(cause) + str(cause) + repr(cause.args) + repr(vars(cause))
        cause = cause.__cause__ or cause.__context__
    return said


def test_row_60_no_text_of_ours_has_a_secret() -> None:
    hits = [
        uri
        for uri in addresses(554)
        for text in (
            redacted(uri),
            printable(redacted(uri)),
            safe_file_name(uri),
            redacted(f"x {uri}: refused ({uri})"),
        )
        if SECRET in text
    ]
    count = sum(1 for _ in addresses(554))
    report(60, f"{count} addresses in 4 texts each: {len(hits)} hits", line="0 hits", passed=not hits)
    assert hits == []


def test_row_60_no_error_in_python_has_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    port, tried, hits = free_port(), 0, []
    for uri in addresses(port):
        if uri.startswith(("srt:", "udp:")):
            continue  # they wait for somebody
        tried += 1
        with pytest.raises(SourceError) as caught:
            open_source(uri, SourceOptions(reconnect=False, open_timeout_s=5.0))
        if SECRET in told_of(caught.value):
            hits.append(uri)
    report(60, f"{tried} addresses refused in Python: {len(hits)} hits", line="0 hits", passed=not hits)
    assert tried > 300
    assert hits == []
    assert SECRET not in caplog.text


def test_streams_in_python_name_none() -> None:
    with mjpeg_server() as uri, stream(f"{uri}?token={SECRET}".replace("//", f"//anna:{SECRET}@")) as results:
        result = next(results)
        assert SECRET not in f"{result.frame!r}{result.frame.source}{result!r}{results.ledger!r}"


@contextmanager
def run(folder: Path, *arguments: str, environ: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.e2e.child", *arguments]
    paths = {"PYTHONPATH": str(Path(__file__).parents[2])}
    with (folder / "stderr.txt").open("ab") as err, (folder / "stdout.txt").open("ab") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            env=os.environ | paths | (environ or {}),
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def command_lines(pid: int) -> str:
    """Those of the children of a process, of all its threads."""
    lines = ""
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                lines += Path(f"/proc/{child}/cmdline").read_text() + command_lines(int(child))
    return lines


OUTPUTS = (
    *("out.mp4", "--no-show", "-v", "--source-name", "--timestamp", "--summary", "run.json", "--jsonl", "a.jsonl"),
    *("--csv", "a.csv", "--coco", "a.json", "--mot", "a.txt", "--clip-on", "thing", "--snapshot-dir", "."),
)


def hits_in(folder: Path) -> list[str]:
    found = [path for path in folder.rglob("*") if SECRET in path.name]
    found += [path for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    return [str(path) for path in found if path.name not in {"in.yaml", "list.txt"}]


@pytest.mark.parametrize("how", ["argument", "environment", "settings", "log-json"])
def test_row_60_nothing_that_is_left_of_a_run_has_a_secret(how: str, tmp_path: Path) -> None:
    with mjpeg_server() as uri:
        source = f"{uri}?auth={SECRET}".replace("//", f"//anna:{SECRET}@")
        options = f"headers=X-Api-Key: {SECRET}\r\nCookie: a={SECRET}\r\n"
        more = [*OUTPUTS, "--duration", "2", *(["--log-json"] if how == "log-json" else [])]
        if how == "settings":
            text = f"source: '{source}'\nsource_options: [\"cookies=a={SECRET}\", 'passphrase={SECRET}']\n"
            (tmp_path / "in.yaml").write_text(text)
            started = run(tmp_path, "run", "-c", "in.yaml", "--record", *more)
        elif how == "environment":
            environ = {"STREAMER_SOURCE": source, "STREAMER_SOURCE_OPTIONS": options}
            started = run(tmp_path, "run", "--record", *more, environ=environ)
        else:
            started = run(tmp_path, "run", source, *more, "--source-options", options)
        lines = ""
        with started as process:
            wait_for(lambda: (tmp_path / "out.part.mp4").exists() or process.poll() is not None, timeout_s=40)
            lines = command_lines(process.pid)
            assert process.wait(50) == 0, (tmp_path / "stderr.txt").read_text()
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    hits = hits_in(tmp_path) + ([lines] if SECRET in lines else [])
    report(60, f"{how}: {len(left)} files and streams, {len(hits)} hits", line="0 hits", passed=not hits)
    assert len(left) >= 8
    assert hits == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("rtsp://anna:{}@127.0.0.1:{port}/live",),
        ("https://127.0.0.1:{port}/live?token={}", "--reconnect", "--reconnect-max", "2"),
        ("rtmp://127.0.0.1:{port}/live2/abcd-{}-1234-5678",),
        ("srt://127.0.0.1:{port}?passphrase={}", "--open-timeout", "1"),
        ("tcp://127.0.0.1:{port}", "--source-options", "cookies={},=x"),
        ("tcp://127.0.0.1:{port}", "--source-options", "Authorization: Basic {}"),
        ("rtspu://anna:{}@127.0.0.1:{port}/live",),
        ("http://anna:{}@127.0.0.1:99999/live",),
        ("http://anna:a b{}@127.0.0.1:{port}/live",),
        ("list.txt",),
        ("bench", "-s", "http://anna:{}@127.0.0.1:{port}/live"),
        ("config", "show", "-c", "in.yaml"),
        ("config", "check", "in.yaml"),
        ("config", "check", "bad.yaml"),
        ("run", "-c", "bad.yaml"),
    ],
)
def test_nothing_that_is_said_of_what_is_refused_has_one(arguments: tuple[str, ...], tmp_path: Path) -> None:
    port = free_port()
    address = f"rtsp://anna:{SECRET}@127.0.0.1:{port}/live?password={SECRET}"
    (tmp_path / "list.txt").write_text(f"{address}\n")
    good = f"source: '{address}'\nsource_options: ['headers=Authorization: Basic {SECRET}', 'cookies={SECRET}']\n"
    (tmp_path / "in.yaml").write_text(good)
    (tmp_path / "bad.yaml").write_text(good + f"source_options_: 1\nconf: 'http://a:{SECRET}@b'\n")
    given = [argument.replace("{port}", str(port)).replace("{}", SECRET) for argument in arguments]
    command = [sys.executable, "-m", "streamer", *given]
    if given[0] not in {"bench", "config"}:
        command += ["--no-show", "-v", "--jsonl", "a.jsonl", "--summary", "run.json"]
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, check=False, timeout=50)
    (tmp_path / "said.txt").write_bytes(done.stdout + done.stderr)
    hits = [hit for hit in hits_in(tmp_path) if not hit.endswith("bad.yaml")]
    assert done.returncode in ({0} if given[0] == "config" and "bad" not in given[-1] else {2, 3}), done.stderr
    assert len(done.stdout + done.stderr) > 20
    assert hits == [], (done.stdout + done.stderr).decode()


def test_a_password_that_is_wrong_ends_it_also_where_it_would_wait(tmp_path: Path) -> None:
    """A 404 is waited for, where a person asks for it: many servers say it of a stream that nobody sends yet."""
    with loopback.serving() as web:
        for status, waits in ((401, False), (403, False), (404, True), (503, True)):
            uri = web.serve(str(status), status=status).replace("//", f"//anna:{SECRET}@")
            with run(tmp_path, "run", uri, "--no-show", "--jsonl", f"{status}.jsonl", "--reconnect") as process:
                if waits:
                    wait_for(lambda: len([1 for path, _ in web.asked if path == f"/{status}"]) > 2, timeout_s=40)  # noqa: B023
                    process.send_signal(signal.SIGINT)
                assert process.wait(30) == (130 if waits else 3)
        page = web.serve("page", b"<html>a page</html>" * 99)
        with run(tmp_path, "run", page, "--no-show", "--jsonl", "page.jsonl", "--reconnect") as process:
            assert process.wait(40) == 3
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with run(tmp_path, f"tcp://127.0.0.1:{nobody.getsockname()[1]}", "--no-show", "--jsonl", "b.jsonl") as process:
            assert process.wait(40) == 3
    assert hits_in(tmp_path) == []
