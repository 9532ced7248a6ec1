"""The recipes of docs/recipes.md run from top to bottom."""

import re
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "docs/recipes.md").read_text()


def test_the_recipes_run_in_order():
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == TEXT.count("\n## ") + 1
    for block in blocks:
        exec(compile(block, "recipes.md", "exec"), names)
