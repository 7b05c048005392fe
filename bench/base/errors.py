"""Every error a person can cause, as a tree.

    BenchError                    one line for the person, one hint what to do next
    ├── UsageError                the command line is wrong                          exit 2
    │   ├── SpecError             a model or backend spec does not parse
    │   ├── UnknownName           no such model, backend, target, column; knows near ones
    │   └── ParameterError        a hyper-parameter or setting outside what is offered
    ├── Interrupted               somebody ended the command                         exit 130
    ├── MissingExtra              a runtime or tool is not installed                 exit 2
    ├── ArtifactError             the model cannot be exported or read               exit 1
    ├── TableError            a table of published figures does not read (bench.papers.tables)  exit 2
    ├── OutputError               results cannot be written or read                  exit 2
    ├── Unreachable               a target cannot be reached, or lacks what it needs exit 1
    ├── FleetError                the fleet's scheduler or devices are not there     exit 1
    └── MeasureError              a case could not be measured                       exit 1
        ├── LinkLost              the connection to the target broke
        │   └── OutOfReach        and no new one could be made
        ├── Unsupported           the backend cannot do what was asked
        ├── WorkerCrashed         the worker process died
        ├── WorkerTimeout         the worker did not answer in time
        └── OutOfMemory           the worker ran out of memory

Whatever catches a ``BenchError`` prints ``error: <message>`` and ``hint: <hint>`` and leaves with ``exit_code``.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from bench.base.escape import clip as clip  # most messages need it
from bench.base.escape import line
from bench.base.near import near
from bench.base.words import lines_of

KNOWN = 100  # characters of a list of names that a hint has room for
DEBUG = "run again with --debug for the whole story"  # the hint where only a traceback knows more


class BenchError(Exception):
    """A mistake or mishap that a person can do something about.

    ``message`` is one line that says what is wrong, ``hint`` one line that says what to do next (may be empty).
    """

    exit_code = 2  # never 1, which is an answer: slower, not like those, not every row is ok
    status = "failed"  # the status of a result row whose case ended with this error

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = " ".join(line(message).split())
        self.hint = " ".join(line(hint).split())
        super().__init__(self.message)
        if self.hint:  # so that the traceback that a notebook shows has it, too
            self.add_note(f"hint: {self.hint}")

    def of(self, whose: str) -> None:
        """Put before the message whose error it is."""
        self.message = f"{whose}: {self.message}"
        self.args = (self.message,)

    @property
    def told(self) -> str:
        """Message and hint in one line, for what is kept in a cell."""
        return self.message + (f" ({self.hint})" if self.hint else "")


class Interrupted(BenchError):
    """A person, or a job that was cancelled, ended the command."""

    exit_code = 130


class UsageError(BenchError):
    """The command line is wrong."""


class SpecError(UsageError):
    """A model or backend spec does not parse."""


class ParameterError(UsageError):
    """A hyper-parameter or setting lies outside what is offered."""


class UnknownName(UsageError):
    """There is nothing of that kind with that name; the hint names what may be meant, or where the names are listed.

    Or it is given.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], list_command: str = "", hint: str = "") -> None:
        if hint:
            super().__init__(f"there is no {kind} named {clip(name)!r}", hint)
            return
        super().__init__(f"there is no {kind} named {clip(name)!r}", _hint(name, known, list_command))


def _hint(name: str, known: Iterable[str], list_command: str) -> str:
    names = sorted(clip(one) for one in known)
    meant, all_of_them = near(name, names), ", ".join(names)
    if meant:
        hint = f"did you mean {' or '.join(meant)}?"
    elif names and len(all_of_them) <= KNOWN:
        hint = f"known: {all_of_them}"
    elif list_command:
        return f"`{list_command}` lists them"
    elif names:
        some = all_of_them[:KNOWN].rpartition(", ")[0] or names[0]
        return f"known: {some} and {len(names) - some.count(', ') - 1} more"
    else:
        return ""
    return f"{hint} (`{list_command}` lists them)" if list_command else hint


class MissingExtra(BenchError):
    """A runtime or tool is not installed; the hint gives the ``pip install`` line that adds it.

    That is the extra of this program's that brings it, or `hint` where it comes from elsewhere.
    """

    status = "unsupported"

    def __init__(self, what: str, extra: str = "", hint: str = "") -> None:
        super().__init__(f"{what} is not installed", hint or f"pip install 'isoflops[{extra}]'")


PANDAS = ("pandas", "pandas, which holds rows as tables,", "analysis")


def needs(module: str, what: str, extra: str) -> None:
    """Raise MissingExtra, which names `what` and the extra that brings it, unless `module` can be imported."""
    try:
        import_module(module)
    except ImportError as error:
        raise MissingExtra(what, extra) from error


class ArtifactError(BenchError):
    """The model cannot be exported or read."""


class OutputError(BenchError):
    """Results cannot be written or read."""


class Unreachable(BenchError):
    """A target cannot be reached, or is not set up."""


class FleetError(BenchError):
    """The fleet's scheduler or its devices are not there."""


class MeasureError(BenchError):
    """A case could not be measured."""


class LinkLost(MeasureError):
    """The connection to the target broke while a case was measured."""


class OutOfReach(LinkLost):
    """The connection broke, and no new one could be made."""


class Unsupported(MeasureError):
    """The backend cannot do what was asked of it."""

    status = "unsupported"


class WorkerCrashed(MeasureError):
    """The worker process died."""

    status = "crashed"


class WorkerTimeout(MeasureError):
    """The worker did not answer in time."""

    status = "timeout"


class OutOfMemory(MeasureError):
    """The worker ran out of memory."""

    status = "oom"


def first_line(error: BaseException, width: int = 200) -> str:
    """Return the first line that an exception from outside says, or its type where it says nothing."""
    lines = lines_of(str(error))
    return clip(lines[0], width) if lines else type(error).__name__


def whole_line(error: BaseException) -> str:
    """Return all that an exception from outside says, as one line, or its type where it says nothing."""
    return clip(" ".join(str(error).split()), 300) or type(error).__name__
