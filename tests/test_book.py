"""The book's files against one another: table of contents, anatomy, stored outputs, references, environments."""

import re
import subprocess
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "chapters").glob("*.ipynb"))
CHAPTERS = [path for path in NOTEBOOKS if path.stem not in ("intro", "own_images", "own_family")]
PAGES = NOTEBOOKS + sorted((ROOT / "chapters").glob("*.md"))


def read(path):
    return nbformat.read(path, as_version=4)


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def toc_files():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    chapters = [page for chapter in toc["chapters"] for page in (chapter, *chapter.get("sections", []))]
    return [toc["root"], *(page["file"] for page in chapters)]


def test_the_table_of_contents_names_every_page_once():
    assert sorted(toc_files()) == sorted(p.relative_to(ROOT).with_suffix("").as_posix() for p in PAGES)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_carry_no_outputs(path):
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in code_cells(notebook):
        assert not cell.outputs and cell.execution_count is None, "clear all outputs, then save"
    assert "widgets" not in notebook.metadata


def test_every_module_has_a_place_in_the_reference():
    package = ROOT / "gan_utils"
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in package.rglob("*.py")}
    # what only checks arguments, joins browser modules, or made the shipped classifier
    inner = {"gan_utils.metrics.checks", "gan_utils.theory.checks", "gan_utils.widgets.browser"}
    inner |= {"gan_utils.metrics.train_fashion_mnist"} | {name for name in modules if name.endswith("__init__")}
    pages = "".join(path.read_text() for path in (ROOT / "chapters").glob("api_*.md"))
    shown = re.findall(r"^## (\S+)\n\n```\{eval-rst\}\n\.\. automodule:: gan_utils\.(\S+)\n```$", pages, re.MULTILINE)
    assert all(heading == module for heading, module in shown)
    assert sorted(f"gan_utils.{module}" for _, module in shown) == sorted(modules - inner)


ANATOMY = [r"^# ", r"\*\*You will\*\*", r"\*\*You need\*\*", r"\*\*Minutes\*\*", r"\$\$ \(eq-"]
ANATOMY += [r"^## Check", r"^## Summary", r"^## Exercises", r"^## References", r"arXiv"]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_anatomy_of_a_chapter(path):
    notebook, text = read(path), prose(read(path))
    code = code_cells(notebook)
    positions = [re.search(pattern, text, re.MULTILINE) for pattern in ANATOMY]
    assert all(positions), [p for p, found in zip(ANATOMY, positions, strict=True) if not found]
    assert [m.start() for m in positions] == sorted(m.start() for m in positions)
    assert "runtime.set_seed" in code[0].source and "runtime.budget()" in code[0].source
    long = [cell for cell in code if len(cell.source.splitlines()) > 3]  # what shows a widget is read at a glance
    assert len(long) <= 18
    assert max(len(cell.source.splitlines()) for cell in code) <= 25
    assert len(text.split()) <= 2500
    exercises = len(re.findall(r"^\*\*\d\. ", text, re.MULTILINE))
    folded = [cell for cell in code if "hide-cell" in cell.metadata.get("tags", [])]
    assert 3 <= exercises <= 5 and len(folded) == exercises and all("assert" in cell.source for cell in folded)
    assert sum("explore(" in cell.source for cell in code) >= 3
    assert not re.search(r"^\s*[!%]", "\n".join(cell.source for cell in code), re.MULTILINE)


def test_every_citation_is_in_the_bibliography_and_the_reverse():
    keys = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "references.bib").read_text(), re.MULTILINE))
    text = "\n".join(prose(read(p)) if p.suffix == ".ipynb" else p.read_text() for p in PAGES)
    cited = {key for group in re.findall(r"\{cite(?::\w)?\}`([^`]+)`", text) for key in group.split(",")}
    assert cited == keys


def names(requirements):
    return {re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-") for requirement in requirements}


def test_environments_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = names(project["dependencies"] + extras["book"] + extras["test"] + extras["reference"])
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)
    assert needed <= {name.lower().replace("_", "-") for name in pins}, "every requirement is pinned"
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["-c constraints.txt", "-e .[book,test]"], "conda installs the same pins of the same package"
    python = next(entry for entry in conda if entry.startswith("python="))
    assert python.removeprefix("python=") == project["requires-python"].removeprefix(">=")
    for requirement in project["dependencies"] + extras["book"] + extras["test"]:
        match = re.match(r"([\w.-]+)(?:\[[\w,]+\])?(?:([>=]=)([\d.]+\w*))?$", requirement)
        assert match, requirement
        if match[2]:
            pinned, wanted = pins[match[1]], match[3]
            number = lambda version: [int(part) for part in re.findall(r"\d+", version)]  # noqa: E731
            assert number(pinned) >= number(wanted) if match[2] == ">=" else pinned == wanted


def test_no_file_names_a_machine_or_a_registry():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    lines = [
        f"{name}:{number}"
        for name in tracked.stdout.split()
        if not name.endswith((".npz", ".png")) and name != "tests/test_book.py"
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1)
        if re.search(r"/home/\w|/root/|/work/|/tmp/|registry\.npmjs|files\.pythonhosted|pypi\.org|\"resolved\":", line)
    ]
    assert not lines


def test_colour_maps_are_safe_for_colour_blind_readers():
    safe = {"gray", "viridis", "cividis", "Oranges", "Blues", "PuOr"}
    sources = [*NOTEBOOKS, *(ROOT / "gan_utils").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    text = "\n".join(path.read_text() for path in sources)
    assert set(re.findall(r'cmap=\\?"([A-Za-z_]+)', text)) <= safe


def test_identifiers_of_papers_are_well_formed_and_unique():
    entries = re.split(r"\n(?=@)", (ROOT / "references.bib").read_text().strip())
    found = []
    for entry in entries:
        fields = dict(re.findall(r"^\s*(eprint|doi|url|isbn)\s*=\s*\{(.*?)\}", entry, re.MULTILINE | re.IGNORECASE))
        assert fields or re.match(r"@\w+\{(brown1951|geron2019|goyal2022|tensorflow_dcgan),", entry), (
            f"no identifier: {entry[:60]}"
        )
        if "eprint" in fields:
            assert re.fullmatch(r"\d{2}(0[1-9]|1[0-2])\.\d{4,5}", fields["eprint"]), entry
        if "doi" in fields:
            assert re.fullmatch(r"10\.\d{4,9}/[^\s{}]+", fields["doi"]), entry
        found += fields.values()
    assert len(found) == len(set(found))
    sources = [*PAGES, *(ROOT / "gan_utils").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py"), ROOT / "README.md"]
    for path in sources:
        text = path.read_text()
        for number in re.findall(r"arXiv[: ]\s*([\w./-]+)", text):
            assert re.match(r"(\d{2}(0[1-9]|1[0-2])\.\d{4,5}|[a-z-]+/\d{7})\b", number), f"{path.name}: arXiv {number}"
        for number in re.findall(r"doi[: ]\s*(\S+)", text):
            assert re.match(r"10\.\d{4,9}/\S", number), f"{path.name}: doi {number}"
