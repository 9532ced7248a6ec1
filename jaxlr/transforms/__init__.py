"""Gradient transformations that compose in `optax.chain`."""

from jaxlr.transforms.clipping import clip_by_global_norm
from jaxlr.transforms.groups.mup import MupFactors, mup_factors
from jaxlr.transforms.groups.patterns import ParameterGroups, layerwise_rates
from jaxlr.transforms.moments.adagrad import ScaleByAdagradState, scale_by_adagrad
from jaxlr.transforms.moments.adam import ScaleByAdamState, ScaleByAdamWithB2State, scale_by_adam
from jaxlr.transforms.moments.adamax import ScaleByAdamaxState, scale_by_adamax
from jaxlr.transforms.moments.factored import ScaleByFactoredRmsState, scale_by_factored_rms
from jaxlr.transforms.moments.momentum import ScaleByMomentumState, scale_by_momentum
from jaxlr.transforms.moments.nadam import ScaleByNadamState, scale_by_nadam
from jaxlr.transforms.moments.orthogonal import orthogonalize
from jaxlr.transforms.moments.radam import ScaleByRadamState, scale_by_radam
from jaxlr.transforms.moments.rms import ScaleByRmspropState, scale_by_rmsprop
from jaxlr.transforms.moments.rprop import ScaleByRpropState, scale_by_rprop
from jaxlr.transforms.penalties import AddWeightDecayState, add_l1_penalty, add_weight_decay
from jaxlr.transforms.rate.access import (
    KEEP,
    current_learning_rate,
    current_schedule,
    learning_rates,
    observe,
    set_learning_rate,
    set_schedule,
)
from jaxlr.transforms.rate.greedy import Greedy, greedy
from jaxlr.transforms.rate.kl_adaptive import KlAdaptive, kl_adaptive
from jaxlr.transforms.rate.learning_rate import (
    GroupedRatesState,
    ScaleByLearningRateState,
    held,
    scale_by_learning_rate,
)
from jaxlr.transforms.rate.plateau import ReduceOnPlateau, reduce_on_plateau
from jaxlr.transforms.state.counts import set_update_count, update_count
from jaxlr.transforms.state.dictionary import LoadReport, load_state_dict, state_dict
from jaxlr.transforms.state.inspection import current_hyperparameters
from jaxlr.transforms.state.optax_states import from_optax_state, to_optax_state
from jaxlr.transforms.wrappers.accumulation import AccumulateState, accumulate
from jaxlr.transforms.wrappers.guarding import GuardState, guard, guard_counts
from jaxlr.transforms.wrappers.precision import MasterWeightsState, in_float32, with_master_weights
from jaxlr.transforms.wrappers.small_states import SmallStatesState, small_states, state_bytes

__all__ = [
    "KEEP",
    "AccumulateState",
    "AddWeightDecayState",
    "Greedy",
    "GroupedRatesState",
    "GuardState",
    "KlAdaptive",
    "LoadReport",
    "MasterWeightsState",
    "MupFactors",
    "ParameterGroups",
    "ReduceOnPlateau",
    "ScaleByAdagradState",
    "ScaleByAdamState",
    "ScaleByAdamWithB2State",
    "ScaleByAdamaxState",
    "ScaleByFactoredRmsState",
    "ScaleByLearningRateState",
    "ScaleByMomentumState",
    "ScaleByNadamState",
    "ScaleByRadamState",
    "ScaleByRmspropState",
    "ScaleByRpropState",
    "SmallStatesState",
    "accumulate",
    "add_l1_penalty",
    "add_weight_decay",
    "clip_by_global_norm",
    "current_hyperparameters",
    "current_learning_rate",
    "current_schedule",
    "from_optax_state",
    "greedy",
    "guard",
    "guard_counts",
    "held",
    "in_float32",
    "kl_adaptive",
    "layerwise_rates",
    "learning_rates",
    "load_state_dict",
    "mup_factors",
    "observe",
    "orthogonalize",
    "reduce_on_plateau",
    "scale_by_adagrad",
    "scale_by_adam",
    "scale_by_adamax",
    "scale_by_factored_rms",
    "scale_by_learning_rate",
    "scale_by_momentum",
    "scale_by_nadam",
    "scale_by_radam",
    "scale_by_rmsprop",
    "scale_by_rprop",
    "set_learning_rate",
    "set_schedule",
    "set_update_count",
    "small_states",
    "state_bytes",
    "state_dict",
    "to_optax_state",
    "update_count",
    "with_master_weights",
]
