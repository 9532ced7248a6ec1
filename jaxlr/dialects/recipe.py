"""What a framework's configuration says of training, in jaxlr's words."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import TypeAlias

import optax

import jaxlr
from jaxlr.schedules import FAMILIES, Schedule
from jaxlr.schedules.printing import whole
from jaxlr.transforms.groups.patterns import ParameterGroups

Argument: TypeAlias = "float | bool | str | Schedule | None"
_MODULES: Mapping[str, ModuleType] = MappingProxyType({"jaxlr": jaxlr, "optax": optax})


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A schedule, the optimizer around it, its groups of parameters, and what could not be carried over.

    Args:
      framework: whose words the configuration was written in, such as `"megatron"`.
      schedule: update count -> rate.
      optimizer: what makes the optimizer, a path in jaxlr or optax such as `"jaxlr.adamw"`; empty where the
        configuration names none, or one that neither has.
      arguments: what it takes after the rate, by name.
      groups: which parameters have rates or weight decays of their own, do not decay or are frozen; None for all alike.
      clip: the largest global norm of the gradients; None without a limit.
      micro_batches: gradients that make one update.
      left_out: key of the configuration -> why nothing stands for it here, or what it would take.

    Example:
      >>> import jaxlr
      >>> recipe = Recipe("mine", jaxlr.cosine(0.1, 100), "jaxlr.adamw", {"b2": 0.95}, clip=1.0)
      >>> print(recipe)
      import jaxlr
      import optax
      <BLANKLINE>
      schedule = jaxlr.cosine(init_value=0.1, decay_steps=100)
      optimizer = jaxlr.adamw(schedule, b2=0.95)
      optimizer = optax.chain(jaxlr.clip_by_global_norm(1.0), optimizer)
      >>> state = recipe.make().init({"w": 1.0})
      >>> round(float(jaxlr.current_learning_rate(state)), 3)
      0.1
    """

    framework: str
    schedule: Schedule
    optimizer: str = ""
    arguments: Mapping[str, Argument] = dataclasses.field(default_factory=dict)
    groups: ParameterGroups | None = None
    clip: float | None = None
    micro_batches: int = 1
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def make(self) -> optax.GradientTransformationExtraArgs:
        """The optimizer.

        Raises:
          ValueError: the configuration names none that jaxlr or optax has.
        """
        if not self.optimizer:
            raise ValueError(f"the {self.framework} configuration names no optimizer that jaxlr or optax has")
        module, *path = self.optimizer.split(".")
        factory = functools.reduce(getattr, path, _MODULES[module])
        mask = {"mask": self.groups.decays} if self.groups is not None and self._masked else {}
        made = optax.with_extra_args_support(factory(self.schedule, **self.arguments, **mask))  # pyright: ignore
        if self.groups is not None:
            made = self.groups.wrap(made, own_decay=self._masked)
        if self.clip is not None:
            made = optax.chain(jaxlr.clip_by_global_norm(self.clip), made)
        return jaxlr.accumulate(made, self.micro_batches) if self.micro_batches > 1 else made

    @property
    def _masked(self) -> bool:
        """Whether the optimizer is told what decays by its own argument: those of optax do not ask the groups."""
        chooses = self.groups is not None and bool(self.groups.no_decay or self.groups.decay_from_rank)
        return chooses and self.optimizer.startswith("optax.") and "weight_decay" in self.arguments

    def __str__(self) -> str:
        """Python that makes the same with jaxlr."""
        wide = self.clip is not None or self.optimizer.startswith("optax.")
        imports = ["import jaxlr", "import optax"] if wide else ["import jaxlr"]
        return "\n".join([*imports, "", f"schedule = {qualified(whole(self.schedule))}", *self._optimizer_lines()])

    def _optimizer_lines(self) -> list[str]:
        if not self.optimizer:
            return []
        arguments = [f"{name}={_written(value)}" for name, value in self.arguments.items()]
        told, own = (["mask=groups.decays"], ", own_decay=True") if self._masked else ([], "")
        lines = [f"optimizer = {self.optimizer}({', '.join(['schedule', *arguments, *told])})"]
        if self.groups is not None:
            lines = [f"groups = {_written_groups(self.groups)}", *lines, f"optimizer = groups.wrap(optimizer{own})"]
        if self.clip is not None:
            lines += [f"optimizer = optax.chain(jaxlr.clip_by_global_norm({self.clip!r}), optimizer)"]
        if self.micro_batches > 1:
            lines += [f"optimizer = jaxlr.accumulate(optimizer, {self.micro_batches})"]
        return lines


def _written(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {_written(each)}' for key, each in value.items())}}}"
    return qualified(whole(value)) if isinstance(value, Schedule) else repr(value)


def _written_groups(groups: ParameterGroups) -> str:
    """The groups as Python, without the arguments that are at their defaults."""
    said = {field.name: getattr(groups, field.name) for field in dataclasses.fields(groups)}
    return f"jaxlr.ParameterGroups({', '.join(f'{name}={_written(value)}' for name, value in said.items() if value)})"


def qualified(text: str) -> str:
    """A schedule's text as Python, with the module in front of each family.

    Example:
      >>> qualified("warmup(schedule=cosine(init_value=0.1, decay_steps=10), warmup_steps=2)")
      'jaxlr.warmup(schedule=jaxlr.cosine(init_value=0.1, decay_steps=10), warmup_steps=2)'
    """

    def with_module(match: re.Match[str]) -> str:
        name = match[1]
        if name not in FAMILIES:
            return match[0]
        return f"jaxlr.{name}(" if hasattr(jaxlr, name) else f"jaxlr.schedules.{name}("

    return re.sub(r"(?<![\w.])(\w+)\(", with_module, text)
