"""The command line: finds the verb, runs it, and turns whatever goes wrong into one line and an exit code.

Each verb has a module of its own. Nothing here, and nothing that `--help` needs, imports OpenCV or TensorFlow.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, TextIO, cast

import typer

import streamer
from streamer.cli.bench import bench_command
from streamer.cli.clip import clip_command
from streamer.cli.config import config_app
from streamer.cli.devices import devices_command
from streamer.cli.doctor import doctor_command
from streamer.cli.failures import code_of, told
from streamer.cli.flags import with_settings
from streamer.cli.inspect import inspect_command
from streamer.cli.logs import safe_lines, write_stderr
from streamer.cli.models import models_app
from streamer.cli.render import render_command
from streamer.cli.run import run_verb
from streamer.cli.status import status_command
from streamer.errors import StreamerError

EXAMPLES = """\
streamer 0 -m MODEL : a camera, on a window

streamer clip.mp4 out.mp4 -m MODEL : a file, annotated

streamer photos/ boxed/ -m ssd_mobilenet_v2_320 --classes person,car : pictures, and a model by name

streamer test: --no-show --jsonl seen.jsonl -m MODEL : a pattern, without window or camera

streamer render seen.jsonl -s clip.mp4 -o out.mp4 --conf 0.8 : drawn again from what a run saw

Every flag is also a variable (STREAMER_CONF for --conf) and a line of a settings file (conf: 0.4)."""

_USAGE_ERROR = cast("type[Exception]", typer.BadParameter.__mro__[2])
"""What typer raises for a wrong command line: click's base class, which moved into typer with 0.2x."""

app = typer.Typer(
    name="streamer",
    help="A TensorFlow detector on a video stream: it shows, records and reports what the model sees.",
    epilog=EXAMPLES,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", help="Watch, record, report: SOURCE through the model to a window and to OUT.")(
    with_settings(run_verb)
)
app.command("devices", help="List the cameras, and the modes they really have.")(devices_command)
app.command("inspect", help="Say what a model takes and gives, and how sure that is.")(inspect_command)
app.command("bench", help="Measure every stage of a run, beside the loop that how-tos have.")(bench_command)
app.command("render", help="Draw again what a run saw, from the lines of its --jsonl, without a model.")(render_command)
app.command("clip", help="Cut a part of a file into a file, without encoding it again.")(clip_command)
app.command("doctor", help="Say what works here, and what to install.")(doctor_command)
app.command("status", help="Say whether the run that writes a health file is alive.")(status_command)
app.add_typer(models_app, name="models")
app.add_typer(config_app, name="config")

VERBS = frozenset({"run", "devices", "inspect", "bench", "render", "clip", "doctor", "status", "models", "config"})
_ALONE = frozenset({"-h", "--help", "--version"})


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"streamer {streamer.__version__}")
        raise typer.Exit


@app.callback()
def _itself(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=lambda value: _version(wanted=value), help="Say which version this is."),
    ] = False,
) -> None:
    del version


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command line and leave with its exit code.

    arguments: without the program's name; None takes the process's own. Raises SystemExit, always.
    """
    _fill_standard_files()
    given = sys.argv[1:] if arguments is None else list(arguments)
    code = _guarded(given)
    sys.exit(_flushed(code))


def _guarded(arguments: list[str]) -> int:
    try:
        return _dispatched(_with_verb(arguments))
    except BrokenPipeError:
        return _reader_left()
    except _USAGE_ERROR as error:
        _say(f"{_message(error)} (streamer --help lists what there is)")
        return int(getattr(error, "exit_code", 2))
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last door: a bug is told as a bug
        if {"-v", "--verbose"} & set(arguments) and not isinstance(error, StreamerError):
            write_stderr("".join(traceback.format_exception(error)).rstrip())
        for line in told(error):
            _say(line)
        return code_of(error)


def _with_verb(arguments: list[str]) -> list[str]:
    if not arguments:
        return ["--help"]
    return arguments if arguments[0] in VERBS | _ALONE else ["run", *arguments]


def _dispatched(arguments: list[str]) -> int:
    # Not `app()`: its own main would turn our exceptions, Ctrl-C and closed pipes into exits of its own.
    command = typer.main.get_command(app)
    try:
        with command.make_context("streamer", arguments) as context:
            command.invoke(context)
    except typer.Exit as leaving:
        return leaving.exit_code
    return 0


def _message(error: Exception) -> str:
    tell = getattr(error, "format_message", None)
    return str(tell() if callable(tell) else error)


def _say(text: str) -> None:
    for line in safe_lines(text):
        write_stderr(f"streamer: error: {line}")


def _fill_standard_files() -> None:
    # Where the shell closed one (`2>&-`), the next file that is opened, a recording, would get its number, and whatever
    # a library says on stderr would go into it.
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _reader_left() -> int:
    # Whoever read our output has gone, as `head` does.
    _forget(sys.stdout)
    return 0


def _forget(stream: TextIO) -> None:
    # What is still buffered must not raise again at exit.
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - devnull is a name, not a path of ours
        os.dup2(nowhere.fileno(), stream.fileno())


def _flushed(code: int) -> int:
    if sys.stderr is not None:
        try:
            sys.stderr.flush()
        except OSError:
            _forget(sys.stderr)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        return _reader_left()
    return code
