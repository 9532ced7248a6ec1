"""`jaxlr port`."""

import ast
import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import optax
import tyro

from jaxlr import dialects, plotting
from jaxlr.cli.parsing import input_errors, parse
from jaxlr.cli.recipes import recipes, shortened
from jaxlr.dialects.common import BESIDE, Beside
from jaxlr.dialects.recipe import qualified
from jaxlr.schedules import Schedule
from jaxlr.schedules.text import read_call
from jaxlr.transforms.rate.controller import Controller
from jaxlr.typing import PyTree

_YOURS = "or the one of your recipe"
_EXAMPLE = '"torch.OneCycleLR(optimizer, max_lr=1.0, total_steps=1000)"'


@dataclass(frozen=True)
class PortOptions:
    """Say in jaxlr what a recipe or a configuration file of another framework says."""

    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")] = ""
    """A call in quotes, such as "torch.OneCycleLR(optimizer, max_lr=1.0, total_steps=1000)", with the framework's own
    names; the rate stands in place of the optimizer where the schedule needs it. Or a configuration file: arguments of
    Megatron, JSON of DeepSpeed, YAML of MaxText, ... Or such arguments in quotes: "--lr 1e-4 --train-iters 1000"."""
    framework: str | None = None
    """Whose configuration file it is. None: told by its keys."""
    steps_per_epoch: float | None = None
    """Updates in an epoch, for a configuration file that counts epochs and does not say it, as timm's."""
    steps: int | None = None
    """The last update to draw. None: the end of the schedule."""
    out: Path = Path("port.png")
    """The picture's file: .png, .svg or .pdf."""

    @staticmethod
    def prepared(words: Sequence[str]) -> list[str]:
        """The command line's words; with a blank in front, arguments in quotes are no option of this command."""
        return [f" {word}" if _holds_arguments(word) else word for word in words]


def run(arguments: Sequence[str]) -> None:
    """`jaxlr port`."""
    options = parse("port", PortOptions, arguments)
    with input_errors():
        if not options.recipe:
            raise ValueError(f"give a recipe in quotes, such as {_EXAMPLE}, or a configuration file")
        out = plotting.require_format(options.out)
        if _holds_arguments(options.recipe) or _is_file(options.recipe):
            text, drawn = _ported_file(options)
        elif options.framework is not None:
            raise ValueError(f"--framework {options.framework} is for a file, and {options.recipe!r} is none")
        else:
            text, drawn = _ported_call(options.recipe)
        if drawn is not None:
            title, schedule = drawn
            steps = schedule.span() if options.steps is None else options.steps
            plotting.save_figure(plotting.plot_schedules({title: schedule}, steps), out)
    print(text)
    if drawn is not None:
        print(f"\n{out}")


def _holds_arguments(word: str) -> bool:
    """Whether a word is arguments of another program, in quotes."""
    return word.lstrip().startswith("--") and len(word.split()) > 1


def _is_file(recipe: str) -> bool:
    """Whether the words name a file rather than a call."""
    return "(" not in recipe and (bool(Path(recipe).suffix) or Path(recipe).is_file())


def _ported_file(options: PortOptions) -> tuple[str, tuple[str, Schedule]]:
    """Python for a configuration file with what was left out, and what to draw under which title."""
    read = dialects.from_arguments if _holds_arguments(options.recipe) else dialects.from_file
    ported = read(options.recipe, options.framework, steps_per_epoch=options.steps_per_epoch)
    left = [f"#   {key}: {why}" for key, why in ported.left_out.items()]
    text = "\n".join([str(ported), *(["", "# not carried over", *left] if left else [])])
    name = "arguments" if _holds_arguments(options.recipe) else Path(options.recipe).name
    return text, (f"{ported.framework}: {name}", ported.schedule)


def _ported_call(recipe: str) -> tuple[str, tuple[str, Schedule] | None]:
    """Python for a call, and what to draw under which title."""
    short = shortened(recipe)
    ported = read_call(short, recipes(), what="recipe")
    text = "\n".join(python_lines(short, ported))
    return text, (recipe, ported) if isinstance(ported, Schedule) else None


def python_lines(recipe: str, ported: object) -> list[str]:
    """Python that makes the same with jaxlr."""
    head = ["import jaxlr", ""]
    if isinstance(ported, Schedule):
        lines = [*head, f"schedule = {qualified(repr(ported))}"]
        if beside := moved_beside(recipe):
            name, moving, factory = beside
            lines += [f"{name} = {qualified(repr(moving))}  # {recipe.partition('.')[0]} moves it too"]
            return [*lines, f"optimizer = jaxlr.{factory}(schedule, {name}={name})  # {_YOURS}"]
        return [*lines, f"optimizer = jaxlr.adam(schedule)  # {_YOURS}"]
    if isinstance(ported, Controller):
        after = "opt_state = jaxlr.observe(opt_state, metric)  # once an epoch"
        return [*head, f"rule = {of_dialects(recipe)}", f"optimizer = jaxlr.adam(rule)  # {_YOURS}", after]
    if isinstance(ported, optax.GradientTransformation):
        lines = [*head, f"optimizer = {of_dialects(recipe)}  # {' -> '.join(links(ported.init(jnp.zeros(1))))}"]
        moving = next((beside.name for name, beside in _moving().items() if f"{name}(" in recipe), None)
        if moving is not None and "cycle_momentum=False" not in recipe:
            lines += [f"# its schedule moves the {moving} too: see what `jaxlr port` says of the schedule alone"]
        return lines
    raise ValueError(f"recipe {recipe!r} is neither a schedule nor an optimizer")


def moved_beside(recipe: str) -> tuple[str, Schedule, str] | None:
    """What a scheduler moves beside the rate: its name, its schedule, and an optimizer that takes it."""
    call = ast.parse(recipe.strip(), mode="eval").body
    if not isinstance(call, ast.Call) or (beside := _moving().get(ast.unparse(call.func))) is None:
        return None  # arithmetic of schedules, say
    known, taken = (inspect.signature(each).parameters for each in (recipes()[ast.unparse(call.func)], beside.make))
    given = dict(zip(known, call.args, strict=False)) | {word.arg: word.value for word in call.keywords}
    said = {word: ast.unparse(value) for word, value in given.items() if word in taken}
    needed = {word for word, parameter in taken.items() if parameter.default is parameter.empty}
    if said.get("cycle_momentum") == "False" or not needed <= said.keys():
        return None
    arguments = ", ".join(f"{word}={value}" for word, value in said.items())
    makers = {**recipes(), "beside": beside.make}
    return beside.name, read_call(f"beside({arguments})", makers, what="recipe"), beside.optimizer


def _moving() -> dict[str, Beside]:
    """What schedulers move beside the rate, by their names in a recipe."""
    return {name: BESIDE[make] for name, make in recipes().items() if make in BESIDE}


def of_dialects(recipe: str) -> str:
    """The recipe as Python, with jaxlr's modules in front of the frameworks' names."""
    return re.sub(rf"(?<![\w.])({'|'.join(dialects.FRAMEWORKS)})\.(?=\w+\()", r"jaxlr.dialects.\1.", recipe)


def links(state: PyTree) -> list[str]:
    """The links of a chain, by the names of their states: ScaleByAdamState is scale_by_adam's."""
    nodes = jax.tree.leaves(state, is_leaf=lambda node: hasattr(node, "_fields"))
    names = [type(node).__name__ for node in nodes if hasattr(node, "_fields")]
    return [
        re.sub(r"(?<!^)(?=[A-Z])", "_", name.removesuffix("State")).lower() for name in names if name != "EmptyState"
    ]
