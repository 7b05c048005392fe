"""``python -m bench`` and the ``bench`` command: one place where every error becomes a line and an exit code."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

# What a full disk, a closed terminal or a limit answers: no bug of ours.
REFUSED = {errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
           errno.EAGAIN, errno.EBADF, errno.ENXIO}  # fmt: skip
LIMITED = {errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}


def main() -> None:
    """Run the command line and leave with its exit code: 0 fine, 1 a case failed, 2 wrong usage, 3 inconclusive."""
    from bench.cli import cli

    # Installed under both names: other packages have a `bench`, too.
    run(cli, "isoflops" if os.path.basename(sys.argv[0]).startswith("isoflops") else "bench")


def run(command: click.Command, name: str) -> None:
    """Run a command under a name; every error becomes a line and an exit code."""
    import signal

    import click

    from bench.base.errors import BenchError
    from bench.base.escape import plain

    if sys.stdout is None:  # a file that is opened next would get its number, and what a runtime prints
        _tell("standard output is closed", "redirect it, e.g. > /dev/null")
        sys.exit(2)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal of another encoding has no ± and no lines of tables
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    # A cancelled CI job says SIGTERM: it ends as orderly as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = command.main(arguments, prog_name=name, standalone_mode=False)
        sys.stdout.flush()
    except BenchError as error:
        _tell(error.message, error.hint)
        _story(debug)
        code = error.exit_code
    except click.exceptions.Abort:
        code = 130
    except click.UsageError as error:
        from bench.cli._usage import told

        message, hint = told(error)
        if message:
            _tell(plain(message), plain(hint))
        else:
            error.show()
        code = error.exit_code
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        print("\n".join(map(plain, said.getvalue().splitlines())), file=sys.stderr)
        code = error.exit_code
    except (BrokenPipeError, SystemExit):
        # The reader of our output (`| head`) has left: nothing to tell it any more. Click makes it an exit with 1.
        _forget_output()
        code = 141  # as a shell says of whom SIGPIPE has ended
    except KeyboardInterrupt:
        _tell("interrupted", "")
        code = 130
    except Exception as error:
        code = _refused(error, debug) or _mistake(error, debug)
    try:
        sys.stdout.flush()  # what stands before an error
    except OSError:
        _forget_output()
    sys.exit(code if isinstance(code, int) else 0)


def _forget_output() -> None:
    """Let go of what could not be printed: the interpreter would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _refused(error: Exception, debug: bool) -> int:
    """Tell what the system refuses; 0 where it refuses nothing."""
    from bench.base.escape import line
    from bench.base.files import remedy

    if isinstance(error, OSError) and error.errno in REFUSED:
        said = f"{error.strerror}: {error.filename or 'the output'}"
        hint = remedy(error, "lift the limit (`ulimit -a`)" if error.errno in LIMITED else "write elsewhere")
    elif isinstance(error, MemoryError):
        said, hint = "no memory is left", "end what else takes some, or lift the limit (`ulimit -a`)"
    else:
        return 0
    _forget_output()
    _tell(f"the system refuses: {line(said)}", hint)
    _story(debug)
    return 2


def _mistake(error: Exception, debug: bool) -> int:
    """Tell a mistake of ours: still one line."""
    from bench.base.escape import line

    _tell(f"internal error: {type(error).__name__}: {line(str(error))}", "this is a bug; `--debug` shows where")
    _story(debug)
    return 2


def _tell(message: str, hint: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


def _story(debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc()


def _leave_the_folder() -> None:
    """Take off the path what ``python -m`` puts first, the current folder: an onnx.py there is a person's, not ours."""
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not sys.flags.safe_path and sys.path and os.path.abspath(sys.path[0]) != ours:
        del sys.path[0]


if __name__ == "__main__":
    _leave_the_folder()
    main()
