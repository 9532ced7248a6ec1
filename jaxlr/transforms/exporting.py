"""`jax.export` of programs that take optimizer states: the names under which their kinds are written down.

A process that reads such a program imports `jaxlr` first. The kinds of Optax, such as `optax.EmptyState`, are for the
program that has them to register.
"""

from __future__ import annotations

from jax import export

from jaxlr.transforms import penalties
from jaxlr.transforms.moments import adagrad, adam, adamax, momentum, nadam, radam, rms
from jaxlr.transforms.rate.greedy import GreedyMemory, GreedyNumbers, GreedyState
from jaxlr.transforms.rate.kl_adaptive import KlAdaptiveNumbers, KlAdaptiveState
from jaxlr.transforms.rate.learning_rate import GroupedRatesState
from jaxlr.transforms.rate.plateau import PlateauNumbers, PlateauState
from jaxlr.transforms.waiting import RECORDS
from jaxlr.transforms.wrappers.accumulation import AccumulateState
from jaxlr.transforms.wrappers.guarding import GuardState, Recent
from jaxlr.transforms.wrappers.precision import MasterWeightsState
from jaxlr.transforms.wrappers.small_states import Blocks, Rounded, SmallStatesState

__all__: list[str] = []

_LINKS = (penalties, adagrad, adam, adamax, momentum, nadam, radam, rms)  # imported, so that RECORDS has their states

_RULES = (PlateauState, PlateauNumbers, KlAdaptiveState, KlAdaptiveNumbers, GreedyState, GreedyNumbers, GreedyMemory)
_WRAPPERS = (AccumulateState, GuardState, Recent, MasterWeightsState, SmallStatesState, Rounded, Blocks)

for _kind in (*RECORDS, GroupedRatesState, *_RULES, *_WRAPPERS):
    export.register_namedtuple_serialization(_kind, serialized_name=f"jaxlr.{_kind.__name__}")
