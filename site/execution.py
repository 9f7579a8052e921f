"""Notebooks, each executed in a kernel of its own into the cache of Jupyter Book, which then has none left to execute.

What is executed is in the cache at once, so it is kept whenever and however a build ends.
"""

import os
import re
import shutil
import signal
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TextIO

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbclient import NotebookClient
from progress import Progress

LINES = 6  # of an error, on the screen; the log has all


class Store:
    """Jupyter Book's cache of executed notebooks, by the text of their code cells."""

    def __init__(self, folder: Path) -> None:
        self.cache = get_cache(folder)

    def executed(self, path: Path) -> nbformat.NotebookNode | None:
        """Return a notebook with the outputs that the cache has for it, or None."""
        try:
            return self.cache.merge_match_into_file(path)[1]
        except (KeyError, ValueError):  # there is none, or its file was half written when a build was killed
            return None

    def keep(self, path: Path, notebook: nbformat.NotebookNode, seconds: float) -> None:
        """Put an executed notebook into the cache, in the place of what is there."""
        key = self.cache.create_hashed_notebook(notebook)[1]
        shutil.rmtree(self.cache.path / "executed" / key, ignore_errors=True)
        bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": seconds})
        self.cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)

    def seconds(self) -> dict[str, float]:
        """Return how long each page took when it was executed last."""
        records = sorted(self.cache.list_cache_records(), key=lambda record: record.created)
        # a page that was edited has a record for each version
        return {Path(each.uri).stem: (each.data or {}).get("execution_seconds", float("nan")) for each in records}


class Run:
    """The execution of one notebook."""

    def __init__(self, path: Path, timeout: float) -> None:
        self.path, self.name, self.notebook = path, path.stem, nbformat.read(path, 4)
        self.cell, self.seconds = -1, 0.0
        where = {"metadata": {"path": str(path.parent)}}
        # cells with times would not be found again: the cache looks for them by their metadata too
        how = {"timeout": timeout, "record_timing": False, "on_cell_start": self._started}
        self.client = NotebookClient(self.notebook, resources=where, **how)

    def _started(self, cell_index: int, **_: object) -> None:
        self.cell = cell_index

    def __call__(self, environment: dict[str, str], log: TextIO) -> None:
        """Execute it; what the kernel itself says goes to the log."""
        begun = time.perf_counter()
        try:
            self.client.execute(env=environment, stdout=log, stderr=log)
        finally:
            self.seconds = time.perf_counter() - begun

    def kill(self) -> None:
        """End its kernel."""
        provisioner = getattr(self.client.km, "provisioner", None)
        if provisioner and provisioner.has_process:
            try:
                os.killpg(provisioner.pid, signal.SIGKILL)
            except (OSError, TypeError):  # it has ended by itself
                return

    def fault(self, error: BaseException) -> str:
        """Return where it failed, and the last lines of the error."""
        told = plain(str(error)).rstrip().splitlines()[-LINES:] or [type(error).__name__]
        if self.cell < 0:
            return "\n".join(["before its first cell", *told])
        cell, before = self.notebook.cells[self.cell], self.notebook.cells[: self.cell]
        number = 1 + sum(each.cell_type == "code" for each in before)
        named = f" ({cell.id})" if "id" in cell else ""
        first = next((line for line in cell.source.splitlines() if line.strip()), "")
        return "\n".join([f"after {self.seconds:.0f} s in code cell {number}{named}, which begins: {first}", *told])


def plain(text: str) -> str:
    """Return a text without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def execute(runs: Sequence[Run], store: Store, told: Progress, environment: dict[str, str], log: TextIO) -> list[str]:
    """Execute notebooks, as many at a time as `told` has workers; return the names of those that failed.

    One that fails does not keep the others from being executed.
    """
    waiting, failed = list(runs), []
    pending: dict[Future, Run] = {}
    with ThreadPoolExecutor(told.workers) as pool:
        try:
            while waiting or pending:
                while waiting and len(pending) < told.workers:
                    run = waiting.pop(0)
                    told.begin(run.name)
                    pending[pool.submit(run, environment, log)] = run
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    run, error = pending.pop(future), future.exception()
                    if error is None:
                        store.keep(run.path, run.notebook, run.seconds)
                        told.end(run.name, run.seconds)
                    else:
                        print(f"{run.name}: {plain(str(error))}", file=log, flush=True)
                        failed.append(run.name)
                        told.fail(run.name, run.fault(error))
        except BaseException:
            while not all(future.done() for future in pending):
                for run in pending.values():
                    run.kill()
                time.sleep(0.05)
            raise
    return failed
