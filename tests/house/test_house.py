"""The house: what imports what, what importing costs, and that every public name is meant."""

import ast
import importlib
import importlib.metadata
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import jaxlr

PACKAGE = Path(jaxlr.__file__).parent
FOLDERS = sorted({path.parent for path in PACKAGE.rglob("*.py")})
# The whole tree, lowest first: a file imports only from its own room or from rooms above it in this list.
ORDER = [
    "typing",
    "errors",
    "arguments",
    "files",
    "hints",
    "numerics.wide",
    "loops",
    "numerics",
    "schedules.position",
    "schedules.leaves",
    "schedules.cycle_table",
    "schedules.cycles",
    "schedules.outline",
    "schedules.family",
    "schedules.printing",
    "schedules.schedule",
    "schedules.declaring",
    "schedules.exporting",
    "schedules.families.lines",
    "schedules.families.cosines",
    "schedules.families.exponentials",
    "schedules.families",
    "schedules.composition",
    "schedules.text",
    "schedules.horizons",
    "schedules.retiming",
    "schedules.units",
    "schedules",
    "plotting.styles",
    "plotting",
    "transforms.exporting",
    "transforms.describing",
    "transforms.records",
    "transforms.trees",
    "transforms.waiting",
    "transforms.hyperparameters",
    "transforms.debiasing",
    "transforms.link",
    "transforms.parameters",
    "transforms.coupling",
    "transforms.clipping",
    "transforms.moments",
    "transforms.state.walk",
    "transforms.rate",
    "transforms.wrappers",
    "transforms.penalties",
    "transforms.assembly",
    "transforms.groups",
    "transforms.state",
    "transforms",
    "optimizers",
    "dialects.launch",
    "dialects.configs",
    "dialects.recipe",
    "dialects.common",
    "dialects",
    "search.trials",
    "search.ranges",
    "search.sweeps",
    "search.branching",
    "search",
    "compiling",
    "training.data",
    "training.network",
    "training.loop.hosts",
    "training.loop.items",
    "training.loop",
    "training.runs.records.schema",
    "training.runs.config",
    "training.runs.folder",
    "training.runs.records",
    "training.runs.starting",
    "training.runs.saving",
    "training.runs.showing",
    "training.runs",
    "training.searches",
    "training",
    "cli",
    "descent",
    "__main__",
]


def imports(path):
    """The jaxlr modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "jaxlr":
            if node.module.count(".") == (0 if node.module == "jaxlr" else -1):
                yield from (f"jaxlr.{alias.name}" for alias in node.names)
            else:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "jaxlr")


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def name_of(path):
    """A file's dotted name below jaxlr."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def place(dotted):
    """Where the room of a module, or of a name in it, stands in the order."""
    rooms = [room for room in ORDER if dotted == room or dotted.startswith(room + ".")]
    assert rooms, f"{dotted} is in no room of the house: add it to the order, in its place"
    return ORDER.index(max(rooms, key=len))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_imports_only_from_the_rooms_below(path):
    for imported in imports(path):
        below = imported.removeprefix("jaxlr.")
        if below.split(".")[0] in {room.split(".")[0] for room in ORDER}:
            assert place(below) <= place(name_of(path)), f"{name_of(path)} imports {imported} from above"


def test_no_two_modules_import_each_other():
    graph = {}
    for path in FILES:
        name = ".".join(("jaxlr", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        graph[name] = set(imports(path))

    def modules(imported):
        return {name for name in graph if imported == name or imported.startswith(name + ".")} - {"jaxlr"}

    acyclic = set()

    def visit(name, trail):
        assert name not in trail, " -> ".join([*trail, name])
        if name in acyclic:
            return
        for imported in graph[name]:
            for module in sorted(modules(imported), key=len)[-1:]:
                if module != name and not name.startswith(module + "."):
                    visit(module, [*trail, name])
        acyclic.add(name)

    for name in graph:
        visit(name, [])


def within(folder, dotted):
    """Which of the files and folders in a folder a module, or a name in it, belongs to; None where it lies outside."""
    names = dotted.split(".")
    above = ["jaxlr", *folder.relative_to(PACKAGE).parts]
    inside = names[: len(above)] == above and len(names) > len(above)
    name = names[len(above)] if inside else None
    return name if name and ((folder / name).is_dir() or (folder / f"{name}.py").exists()) else None


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: ".".join(folder.relative_to(PACKAGE).parts) or "jaxlr")
def test_the_files_and_folders_of_a_folder_have_an_order(folder):
    below = {}  # what each needs of the others
    for path in FILES:
        own = within(folder, f"jaxlr.{name_of(path)}")
        if own:
            below.setdefault(own, set()).update(within(folder, imported) for imported in imports(path))
    for own, others in below.items():
        others -= {own, None}
    while below:
        lowest = {own for own, others in below.items() if not others & set(below)}
        assert lowest, f"these import each other, in a circle: {below}"
        below = {own: others for own, others in below.items() if own not in lowest}


def test_the_public_names_are_exactly_all():
    public = {name for name in dir(jaxlr) if not name.startswith("_")} - {"TYPE_CHECKING", "annotations", "importlib"}
    modules = {name for _, name, _ in pkgutil.iter_modules(jaxlr.__path__)}
    assert public - (modules - set(jaxlr.__all__)) == set(jaxlr.__all__)
    assert list(jaxlr.__all__) == sorted(jaxlr.__all__)


ROOMS_WITH_NAMES = [
    "jaxlr",
    "jaxlr.schedules",
    "jaxlr.transforms",
    "jaxlr.optimizers",
    "jaxlr.dialects",
    "jaxlr.search",
    "jaxlr.compiling",
    "jaxlr.training",
    "jaxlr.errors",
]


@pytest.mark.parametrize("name", ROOMS_WITH_NAMES)
def test_every_name_in_all_exists(name):
    module = importlib.import_module(name)
    assert all(hasattr(module, public) for public in module.__all__)


def test_every_framework_is_a_name_of_the_dialects():
    others = {"Comparison", "Recipe", "from_arguments", "from_file", "report"}
    assert set(jaxlr.dialects.__all__) == {*jaxlr.dialects.FRAMEWORKS, *others}
    # Who reads the types sees those that are imported where nothing runs.
    seen = re.search(
        r"from jaxlr\.dialects import \((.*?)\)", (PACKAGE / "dialects" / "__init__.py").read_text(), re.DOTALL
    )
    assert set(re.findall(r"\w+", seen[1])) == set(jaxlr.dialects.FRAMEWORKS)


@pytest.mark.parametrize("name", ["paddle", "mmengine"])
def test_a_dialect_costs_the_files_that_the_contributing_notes_name(name):
    """Its room, the two lists, its recorder, the tests of dialects and the tables that they print; nothing else."""
    named = rf"jaxlr/dialects/({name}/\w+|__init__)\.py|jaxlr/hints\.py|tests/golden/record_{name}\.py"
    named += r"|tests/dialects/test_\w+\.py|benchmarks/results/\w+\.md|CHANGELOG\.md"
    root, own = PACKAGE.parent, Path(__file__)
    folders = [
        root / folder
        for folder in ("jaxlr", "tests", "docs", "benchmarks", "tools", "colab")
        if (root / folder).exists()
    ]
    texts = [path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".md", ".rst", ".toml")]
    generated = root / "docs" / "reference" / "dialects"
    telling = [
        path for path in [*texts, *root.glob("*.md"), root / "pyproject.toml"] if name in path.read_text().lower()
    ]
    found = {str(path.relative_to(root)) for path in telling if path != own and path.parent != generated}
    assert {f"jaxlr/dialects/{name}/__init__.py", "jaxlr/dialects/__init__.py", "jaxlr/hints.py"} <= found
    assert [path for path in sorted(found) if not re.fullmatch(named, path)] == []


def test_the_help_is_a_map_of_every_name():
    words = set(re.findall(r"\w+", jaxlr.__doc__))
    assert [name for name in jaxlr.__all__ if name not in words] == []
    lines = jaxlr.__doc__.split("\n\n")[2].splitlines()
    assert max(map(len, lines)) < 96
    named = {name for line in lines for name in re.findall(r"(?<![\w.])[a-z]+_\w+", line[25:])}
    assert len(named) > 40
    assert [name for name in named if not hasattr(jaxlr, name)] == []


@pytest.mark.parametrize("name", jaxlr.__all__)
def test_every_public_name_is_documented(name):
    thing = getattr(jaxlr, name)
    assert thing.__doc__
    if callable(thing) and not isinstance(thing, type):
        assert all(part in thing.__doc__ for part in ("Args:", "Returns:", "Example:")), name


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("rex", "; it is jaxlr.schedules.rex"),
        (
            "CosineAnnealingLR",
            "; it is jaxlr.cosine, or jaxlr.dialects.torch.CosineAnnealingLR with the framework's own arguments",
        ),
        ("AdamW", "; it is jaxlr.dialects.torch.AdamW or jaxlr.dialects.keras.AdamW"),
        ("nothing", ""),
    ],
)
def test_a_name_that_stands_elsewhere_is_told_where(name, place):
    with pytest.raises(AttributeError, match=f"^module 'jaxlr' has no attribute '{name}'{re.escape(place)}$"):
        getattr(jaxlr, name)


def test_the_dialects_names_are_known_without_loading_them():
    program = (
        "import sys, jaxlr; hasattr(jaxlr, 'x'); print([name for name in sys.modules if 'jaxlr.dialects.' in name])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip() == "[]"
    for framework in jaxlr.dialects.FRAMEWORKS:
        assert list(jaxlr.dialects.names(framework)) == getattr(jaxlr.dialects, framework).__all__


def test_the_version_is_that_of_the_package():
    assert jaxlr.__version__ == importlib.metadata.version("jaxlr")


def test_importing_jaxlr_imports_jax_optax_and_numpy_alone():
    program = (
        "import sys, optax; before = set(sys.modules); from jaxlr import *;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names) - {'jaxlr', 'jax', 'jaxlib', 'optax', 'numpy'}))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_importing_a_module_of_jaxlr_leaves_the_dialects_alone():
    program = (
        "import sys, jaxlr; from jaxlr import plotting; hasattr(jaxlr, 'AdamW');"
        "print(sorted(m for m in sys.modules if 'jaxlr.dialects.' in m))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_reading_the_records_of_a_run_needs_no_flax():
    program = (
        "import sys, jaxlr.training.runs.records.metrics; print({'flax', 'orbax', 'matplotlib'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_importing_jaxlr_touches_no_device():
    program = (
        "import jaxlr; from jax._src import xla_bridge;"
        "rate = jaxlr.warmup(jaxlr.cosine(0.1, 10), 3); repr(rate); jaxlr.adamw(rate);"
        "print(xla_bridge.backends_are_initialized())"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("jaxlr.descent.plot_curves", "jaxlr.plotting.descent.plot_curves"),
        ("jaxlr.plotting.plot_run", "jaxlr.training.runs.showing.picture.plot_run"),
        ("jaxlr.training.models.CNN", "jaxlr.training.network.models.CNN"),
        ("jaxlr.training.run.train", "jaxlr.training.runs.run.train"),
        ("jaxlr.training.config.TrainConfig", "jaxlr.training.runs.config.TrainConfig"),
        ("jaxlr.training.data.load_dataset", "jaxlr.training.data.datasets.load_dataset"),
    ],
)
def test_what_moved_is_found_at_its_former_place(old, new):
    assert pkgutil.resolve_name(old) is pkgutil.resolve_name(new)
