"""`jax.export` of programs that take optimizer states: the names under which their kinds are written down.

A process that reads such a program imports `jaxlr` first. The kinds of Optax, such as `optax.EmptyState`, are for the
program that has them to register.
"""

from __future__ import annotations

from jax import export

from jaxlr.transforms import penalties
from jaxlr.transforms.moments import adagrad, adam, adamax, momentum, nadam, radam, rms
from jaxlr.transforms.rate.learning_rate import GroupedRatesState
from jaxlr.transforms.rate.plateau import PlateauNumbers, PlateauState
from jaxlr.transforms.waiting import RECORDS
from jaxlr.transforms.wrappers.accumulation import AccumulateState
from jaxlr.transforms.wrappers.precision import MasterWeightsState

__all__: list[str] = []

_LINKS = (penalties, adagrad, adam, adamax, momentum, nadam, radam, rms)  # imported, so that RECORDS has their states

for _kind in (*RECORDS, GroupedRatesState, PlateauState, PlateauNumbers, AccumulateState, MasterWeightsState):
    export.register_namedtuple_serialization(_kind, serialized_name=f"jaxlr.{_kind.__name__}")
