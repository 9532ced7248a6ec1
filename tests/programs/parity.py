"""How near each class of another framework is to its own.

`python tests/programs/parity.py --out table.md` writes the table of the README. Every recorded draw of
every class, by the functions that the tests assert with: for a schedule the largest difference over its counts as a
share of its peak, for an optimizer that of its path as a share of the distance travelled. optax is computed here, in
float64.
"""

import argparse
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from jaxlr.cli.port import links
from jaxlr.schedules import Schedule
from jaxlr.transforms.rate.plateau import ReduceOnPlateau

sys.path += [str(Path(__file__).resolve().parents[1] / folder) for folder in ("", "golden", "dialects", "transforms")]
import recorded
import test_dialect_axlearn as axlearn
import test_dialect_big_vision as big_vision
import test_dialect_deepspeed as deepspeed
import test_dialect_keras as keras
import test_dialect_keras_draws as keras_draws
import test_dialect_levanter as levanter
import test_dialect_maxtext as maxtext
import test_dialect_megatron as megatron
import test_dialect_nanochat as nanochat
import test_dialect_olmo as olmo
import test_dialect_optax as optax
import test_dialect_t5x as t5x
import test_dialect_timm as timm
import test_dialect_torch_draws as torch_draws
import test_dialect_torch_optimizers as torch_optimizers
import test_dialect_torch_schedulers as torch
import test_dialect_torchtitan as torchtitan
import test_dialect_transformers as transformers
import test_dialects_small as small
import test_transforms_plateau as plateau

_PARTS = 4


def core_names(made):
    """What the core calls the parts of schedules, rules and optimizers: the most frequent."""
    names = []
    for each in made:
        if isinstance(each, Schedule):
            names += re.findall(r"\w+(?=\()", repr(each)) or ["constant"]
        elif isinstance(each, ReduceOnPlateau):
            names.append("reduce_on_plateau")
        else:
            *before, last = links(each.init(jnp.zeros((1, 1))))
            names += before or [last]
    return ", ".join(f"`{name}`" for name, _ in Counter(names).most_common(_PARTS))


def torch_rows():
    for name in torch.CASES:
        made = [torch.called(case, bases=bases) for case, *_, bases in torch.golden(name)]
        yield name, core_names(made), torch.largest_difference(name)
    yield "ReduceLROnPlateau", "`reduce_on_plateau`", plateau_difference("torch")
    worst = defaultdict(float)
    for name, (kind, _) in torch_optimizers.CASES.items():
        worst[kind] = max(worst[kind], torch_optimizers.distance(name)[0])
    for kind, distance in worst.items():
        yield kind, core_names([torch_optimizers.FACTORIES[kind](0.1)]), distance


def keras_rows():
    for name in keras.SCHEDULES:
        made = [getattr(keras.dialect, name)(**arguments) for arguments in keras.RECORD["draws"](name)]
        yield name, core_names(made), max(found for found, _ in keras.recorded_differences(name))
    yield "ReduceLROnPlateau", "`reduce_on_plateau`", plateau_difference("keras")
    worst = defaultdict(float)
    for name, (kind, _) in keras.RECORD["OPTIMIZERS"].items():
        worst[kind] = max(worst[kind], keras.distance(name))
    for kind, distance in worst.items():
        yield kind, core_names([getattr(keras.dialect, kind)()]), distance


def transformers_rows():
    for name in transformers.RECORD["NAMES"]:
        cases = transformers.RECORD["cases"](name)
        made = [transformers.dialect.get_scheduler(name, **arguments) for arguments in cases]
        yield name, core_names(made), max(found for found, _ in transformers.recorded_differences(name))


def timm_rows():
    for name in timm.RECORD["NAMES"]:
        made = [getattr(timm.dialect, name)(**arguments) for arguments in timm.RECORD["cases"](name)]
        yield name, core_names(made), max(found for found, _ in timm.recorded_differences(name))


def recorded_rows(module):
    """Of a dialect whose tests make a schedule of recorded arguments with `made`."""
    for name in module.record.NAMES:
        made = [module.made(name, arguments) for arguments in module.record.cases(name)]
        found = recorded.differences(module.record, module.made, name)
        yield name, core_names(made), max(difference for difference, _ in found)


def optax_rows():
    for name in optax.NAMES:
        found = list(optax.differences(name))
        made = [getattr(optax.dialect, name)(**arguments) for _, arguments in found]
        yield name, core_names(made), max(difference for difference, _ in found)


def draw_rows(paths):
    """Optimizers with random arguments: of 20 draws the largest."""

    def rows():
        for name in paths.NAMES:
            made = [paths.port(name, arguments) for arguments in paths.RECORD["draws"](name)[:1]]
            yield name, core_names(made), max(paths.distances(name))

    return rows


def small_rows(framework):
    def rows():
        for name in small.RECORDS[framework].ARGUMENTS:
            found = list(small.differences(framework, name))
            made = [small.called(framework, name, arguments) for _, arguments in found]
            yield name, core_names(made), max(difference for difference, _ in found)

    return rows


def megatron_rows():
    for name in megatron.record.NAMES:
        cases = megatron.record.cases(name)
        made = [megatron.dialect.OptimizerParamScheduler(**arguments) for arguments in cases]
        label = f"OptimizerParamScheduler, {name}, and its weight decay"
        yield label, core_names(made), max(found for found, _ in megatron.recorded_differences(name))


def plateau_difference(framework):
    with np.load(plateau.GOLDEN / f"plateau_{framework}.npz") as golden:
        expected = golden["rates"]
    rates = plateau.rates_of(plateau.RECORD["cases"](framework), framework)
    return np.max(np.abs(rates - expected) / plateau.RECORD["BASE_RATE"])


def made_by(file):
    """The version of the framework that a file was recorded of, without its build."""
    with np.load(plateau.GOLDEN / file) as golden:
        return str(golden["torch" if "torch" in golden else "version"]).partition("+")[0]


FRAMEWORKS = {
    f"torch {made_by('torch_schedulers.npz')}": torch_rows,
    "Keras 3.15.1": keras_rows,
    f"Transformers {made_by('transformers_schedules.npz')}": transformers_rows,
    f"timm {made_by('timm_schedules.npz')}": timm_rows,
    "optax 0.2.8": optax_rows,
    "Megatron-LM d98e8a6": megatron_rows,
    "DeepSpeed edaa722": lambda: recorded_rows(deepspeed),
    "OLMo-core fa6c501": lambda: recorded_rows(olmo),
    "torchtitan b5bcd76": lambda: recorded_rows(torchtitan),
    "nanochat 92d63d4, nanoGPT 3adf61e": lambda: recorded_rows(nanochat),
    "MaxText e591f30": lambda: recorded_rows(maxtext),
    "t5x cc342d4, scenic 4a38d47": lambda: recorded_rows(t5x),
    "big_vision 0127fb6": lambda: recorded_rows(big_vision),
    "levanter 9263f81": lambda: recorded_rows(levanter),
    "AXLearn 34aed43": lambda: recorded_rows(axlearn),
    f"torch {made_by('torch_optimizer_draws.npz')}, random arguments": draw_rows(torch_draws),
    "Keras 3.15.1, random arguments": draw_rows(keras_draws),
    **{f"{framework} {version}": small_rows(framework) for framework, version in small.VERSIONS.items()},
}


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="where the table goes, as markdown")
    parser.add_argument("--only", nargs="*", default=[""], help="words; a framework is asked that has one in its name")
    options = parser.parse_args()
    lines = ["| theirs | in jaxlr's core | largest difference |", "| --- | --- | --- |"]
    asked = {name: rows for name, rows in FRAMEWORKS.items() if any(word in name for word in options.only)}
    for framework, rows in asked.items():
        lines.append(f"| **{framework}** | | |")
        print(lines[-1], flush=True)
        for name, core, difference in rows():
            # Rates are recorded in float32: what is left below its last digit is that of the comparison.
            lines.append(f"| {name} | {core} | {f'{difference:.1e}' if difference > 1e-12 else '0'} |")
            print(lines[-1], flush=True)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
