"""The package keeps its order: dependencies point one way, each module says what it is for, each name has a use."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): ast.parse(path.read_text())
    for path in (ROOT / "gan_utils").rglob("*.py")
}
# a module may import what is of its own layer or of one before
LAYERS = [
    {"gan_utils", "checking", "runtime"},
    {"data", "networks", "losses", "terms", "scratch"},
    {"training", "metrics", "theory"},
    {"families"},
    {"widgets", "plotting", "studies"},
    {"cli"},
]


def layer(module):
    part = module.split(".")[1] if "." in module else module
    return next(number for number, parts in enumerate(LAYERS) if part in parts)


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gan_utils":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "gan_utils")


@pytest.mark.parametrize("module", MODULES)
def test_dependencies_point_one_way(module):
    late = [other for other in imports(MODULES[module]) if layer(other) > layer(module)]
    assert not late


@pytest.mark.parametrize("module", MODULES)
def test_a_modules_first_line_says_what_it_is_for(module):
    first = (ast.get_docstring(MODULES[module]) or "").split("\n\n")[0]
    assert len(first) > 20 and first.endswith((".", "?"))


def public(tree):
    """Yield the names of a module's functions and classes that are not private."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def test_no_function_without_a_caller_or_a_page():
    pages = [path for pattern in ("*.ipynb", "*.md") for path in (ROOT / "chapters").glob(pattern)]
    studies, modules = (ROOT / "benchmarks").glob("*.py"), (ROOT / "gan_utils").rglob("*.py")
    texts = [path.read_text() for path in (*pages, *studies, *modules)]
    words = re.findall(r"\w+", "\n".join(texts))
    counts = {word: words.count(word) for tree in MODULES.values() for word in public(tree)}
    assert not [name for name, count in counts.items() if count < 2]  # once is its definition
