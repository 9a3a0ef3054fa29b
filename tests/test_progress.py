"""Progress: a bar where somebody watches, a few lines in a log, nothing by default."""

import contextlib
import os
import subprocess
import sys

import pytest

LOOP = (
    "import time\n"
    "from crystalml._progress import progress_bar\n"
    "def loop(enabled, seconds):\n"
    "    bar = progress_bar(enabled=enabled, description='reading', total=200, unit='file')\n"
    "    with bar:\n"
    "        for _ in range(200): time.sleep(seconds / 200); bar.update()\n"
    "    return bar\n"
)
NOTEBOOK = (
    "import sys, types\n"
    "sys.modules['ipykernel.zmqshell'] = types.ModuleType('ipykernel.zmqshell')\n"
    "class ZMQInteractiveShell: pass\n"
    "IPython = types.ModuleType('IPython')\n"
    "IPython.get_ipython = ZMQInteractiveShell\n"
    "sys.modules['IPython'] = IPython\n"
    "sys.modules['ipywidgets'] = None\n"
)


def run(code):
    """Standard output and error of a process in which warnings are errors."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, check=True)
    # Not as text, which would turn carriage returns into line ends.
    return tuple(
        written.decode().replace(os.linesep, "\n") for written in (done.stdout, done.stderr)
    )


def test_a_log_gets_no_progress_unless_asked():
    assert run(LOOP + "loop('auto', 0.5); loop(False, 0.5)") == ("", "")


def test_a_log_gets_lines_at_the_start_and_the_end_and_now_and_then_between():
    _, lines = run(LOOP + "loop(True, 1)")
    first, last = lines.splitlines()
    assert "\r" not in lines
    assert "\x1b" not in lines
    assert first.startswith("reading:   0% 0/200")
    assert last.startswith("reading: 100% 200/200")
    often = LOOP + "import crystalml._progress as p; p._LOG_INTERVAL = 0.3; loop(True, 1)"
    assert 2 < len(run(often)[1].splitlines()) < 50, "a busy machine takes longer"


def test_nested_bars_in_a_log_are_lines_too():
    inner = "\nwith progress_bar(enabled=True, description='models', total=2) as outer:\n"
    _, lines = run(LOOP + inner + "    for _ in range(2): loop(True, 0.1); outer.update()")
    names = [line.partition(":")[0] for line in lines.splitlines()]
    assert names == ["models", *["reading"] * 4, "models"]
    assert "\x1b" not in lines


def test_without_a_standard_error_there_is_no_progress():
    code = LOOP + "import sys; sys.stderr = None; loop(True, 0.1); loop('auto', 0.1)"
    assert run(code) == ("", "")


@pytest.mark.parametrize("enabled", ["auto", True])
def test_a_terminal_gets_a_bar(enabled):
    pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX")
    termios = pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    code = LOOP + f"loop({enabled!r}, 0.5)"
    with subprocess.Popen([sys.executable, "-W", "error", "-c", code], stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(ours, 65536):
                seen += piece
        os.close(ours)
    assert process.returncode == 0
    assert seen.count(b"\r") > 3
    assert b"100%" in seen


def test_a_notebook_without_widgets_gets_a_bar_and_no_warning():
    _, frames = run(NOTEBOOK + LOOP + "loop('auto', 0.5)")
    assert frames.count("\r") > 3
    assert "100%" in frames
    assert "IProgress" not in frames


def test_what_a_notebook_needs_is_not_loaded_where_nobody_watches():
    code = LOOP + "import sys; loop('auto', 0.1); print('tqdm.auto' in sys.modules)"
    assert run(code)[0] == "False\n"
