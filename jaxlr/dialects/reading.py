"""Configuration files of other frameworks: read as data, within limits, and never evaluated."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jaxlr.dialects.launch import arguments_of

_LARGEST_FILE = 1_000_000  # bytes


def read_file(path: Path) -> dict[str, Any]:
    """What a configuration file says: JSON, YAML or TOML by its ending, command-line arguments in any other."""
    if path.stat().st_size > _LARGEST_FILE:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes; a configuration may have {_LARGEST_FILE:,}")
    reader = _READERS.get(path.suffix.lower(), arguments_of)
    return _keys(str(path), lambda: reader(path.read_text(encoding="utf-8-sig")))


def read_arguments(text: str) -> dict[str, Any]:
    """What the arguments of a command line say."""
    if len(text) > _LARGEST_FILE:
        raise ValueError(f"the text has {len(text):,} characters; a configuration may have {_LARGEST_FILE:,}")
    return _keys("the text", lambda: arguments_of(text))


def _keys(name: str, read: Callable[[], Any]) -> dict[str, Any]:
    """The keys with their values, whatever was wrong in one line."""
    try:
        data = read()
    except RecursionError:
        raise ValueError(f"{name} is nested too deeply to be read") from None
    except ValueError as error:
        raise ValueError(f"{name}: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict) or not data:
        raise ValueError(f"{name} must hold keys with values, got {type(data).__name__}")
    return data


def _yaml(text: str) -> Any:
    try:
        import yaml
    except ModuleNotFoundError:
        raise ModuleNotFoundError("YAML files need PyYAML: pip install 'jaxlr[plot]'", name="yaml") from None

    class Unique(yaml.SafeLoader):
        """Where PyYAML lets the last of two equal keys count, an error."""

        def compose_mapping_node(self, anchor: Any) -> Any:
            node = super().compose_mapping_node(anchor)
            _unique([key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)])
            return node

    def untagged(loader: Any, tag: str, node: Any) -> Any:
        """What stands behind a tag of the application's own, such as `!include data.yaml`: plain data."""
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_scalar(node)

    Unique.add_multi_constructor("!", untagged)
    try:
        return yaml.load(text, Unique)  # a SafeLoader: tags make no objects
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _json(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        _unique([key for key, _ in pairs])
        return dict(pairs)

    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=unique)


def _unique(keys: Sequence[str]) -> None:
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r} stands twice in one place")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"a number must be finite, got {name}")


_READERS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {".json": _json, ".yaml": _yaml, ".yml": _yaml, ".toml": tomllib.loads}
)
