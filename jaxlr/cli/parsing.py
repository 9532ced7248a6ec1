"""Options read with tyro, and every complaint in one line."""

import contextlib
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from jaxlr.arguments import brief, nearest

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # on a terminal
_LONGEST = 600  # letters of a line that anybody reads
_Options = TypeVar("_Options")


class CommandError(Exception):
    """A command that ends with this exit code and one line on stderr; `by_all`: so do all processes of a run."""

    code: int
    by_all: bool

    def __init__(self, message: object, code: int = 2, *, by_all: bool = False):
        super().__init__(brief(" ".join(str(message).split()), _LONGEST))
        self.code, self.by_all = code, by_all


def parse(command: str, options: type[_Options], arguments: Sequence[str], default: _Options | None = None) -> _Options:
    """Reads the options with tyro; its box of a complaint becomes one line."""
    import tyro

    if {"-h", "--help"} & set(arguments):
        from jaxlr.cli.helping import help_text

        print(help_text(command, options), end="")
        raise SystemExit(0)
    complaint = io.StringIO()
    given: dict[str, Any] = {} if default is None else {"default": default}
    try:
        with contextlib.redirect_stderr(complaint):
            prepared = getattr(options, "prepared", list)  # words that tyro would take for options
            return tyro.cli(options, prog=f"jaxlr {command}", args=prepared(arguments), **given)
    except (TypeError, ValueError) as error:
        raise CommandError(error) from None
    except SystemExit as stop:
        if not stop.code:
            raise
        raise CommandError(in_one_line(complaint.getvalue())) from None


def in_one_line(box: str) -> str:
    """What a box of tyro's says, drawn, plain or coloured: what stands under its title, and the option it suggests."""
    _, *lines = [line.strip(" │|╭╮╰╯+") for line in _COLOUR.sub("", box).splitlines()]
    parts = re.split(r"\n[─-]{3,}\n", "\n".join(["", *lines]))
    message, *others = [" ".join(part.split()) for part in parts if part.strip()]
    word = re.fullmatch(r"Unrecognized options: ([^-]\S*)", message)
    for pattern, plain in _PLAIN:
        message = re.sub(pattern, plain, message)
    if word and _is_data(word[1]):
        message = f"unexpected word {word[1]}; --data {word[1]}?"
    message += _near_choice(message)
    near = [found for part in others if part.startswith("Perhaps") and (found := re.search(r"--[\w-]+", part))]
    return f"{message}; did you mean {near[0].group()}?" if near else message


def _is_data(word: str) -> bool:
    from jaxlr.training.data.datasets import SOURCES  # not for what goes well, which need not load them

    return word.endswith(".npz") or bool(nearest(word, ("digits", *SOURCES)))


def _near_choice(message: str) -> str:
    """The word that was meant, where another is given or the same in capitals."""
    given = re.fullmatch(r"\S+ must be one of (.*), got '(.*)'", message)
    near = nearest(given[2], re.findall(r"'(.*?)'", given[1])) if given else []
    return f"; did you mean {near[0]!r}?" if near else ""


# What tyro says, and the same in plain words.
_PLAIN = (
    (r"^Error parsing \w+: (.*)", r"\1"),
    (r"^Error parsing (\S+): invalid literal for int.*?: (.*)", r"\1 must be an integer, got \2"),
    (r"^Error parsing (\S+): could not convert .*?: (.*)", r"\1 must be a number, got \2"),
    (r"^Error parsing (\S+): no type matching \{None\}\|INT .*? from \[(.*?)\]\..*", r"\1 must be an integer, got \2"),
    (r"^Error parsing (\S+): no type matching \{None\}\|FLOAT .*? from \[(.*?)\]\..*", r"\1 must be a number, got \2"),
    (r"^invalid choice (.*?) for argument '(\S+)'\. Expected one of \((.*)\)\.", r"\2 must be one of \3, got \1"),
    (r"(?<= one of )'None', |, 'None'(?=, got )", ""),  # what leaving the option out means; in either place
    (r"(?<= must be )one of (?='[^']*', got )", ""),  # where only one is left
    (r"^Missing value for argument .*?(--[\w-]+).*", r"\1 needs a value"),
    (r"^Unrecognized options: ([^-].*)", r"unexpected words: \1; an option begins with --"),
    (r"^Unrecognized options: (--?[\w-]+).*", r"unknown option \1"),
)


@contextlib.contextmanager
def input_errors(*, of_files: bool = True) -> Iterator[None]:
    """Makes errors about what the user gave, files that cannot be read among them, into one line and exit code 2."""
    try:
        yield
    except ValueError as error:
        raise CommandError(error) from None
    except OSError as error:
        if not of_files:
            raise
        raise CommandError(f"{error.filename or 'a file'}: {error.strerror or error}") from None
