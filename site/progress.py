"""What the screen says while the book is built: a line for each page, with the time that is left."""

import math
from collections.abc import Sequence

WIDTH = 32


def about(seconds: float) -> str:
    """Return a time in words, to the minute."""
    minutes = math.ceil(seconds / 60 - 0.2)
    return "less than a minute" if minutes < 1 else f"about {minutes} minute{'s' if minutes > 1 else ''}"


class Progress:
    """The pages that are still to be executed, and how long that will take on this machine.

    A page is taken to need what the record says, times what this machine has needed so far for pages of the record.

    Args:
        recorded: seconds of each page on the machine of the record.
        needed: seconds of each page that this machine has executed already.
        names: of the pages to execute.
        workers: how many are executed at a time.
    """

    def __init__(
        self, recorded: dict[str, float], needed: dict[str, float], names: Sequence[str], workers: int = 1
    ) -> None:
        self.recorded, self.needed, self.names, self.workers = recorded, dict(needed), list(names), workers

    def left(self) -> float | None:
        """Return the seconds that the pages will take, or None as long as this machine has executed none."""
        both = self.recorded.keys() & self.needed.keys()
        then = sum(self.recorded[name] for name in both)
        if not then:
            return None
        usual = sum(self.recorded.values()) / len(self.recorded)  # of a page that the record does not know
        rest = sum(self.recorded.get(name, usual) for name in self.names)
        return rest * sum(self.needed[name] for name in both) / then / self.workers

    def begin(self, name: str) -> None:
        """Say that a page is being executed; its line is completed by `end` or `fail`."""
        if self.workers == 1:
            print(f"      {name:<{WIDTH}}", end="", flush=True)

    def end(self, name: str, seconds: float) -> None:
        """Complete the line of a page that is executed."""
        self.names.remove(name)
        self.needed[name] = seconds
        left = self.left()
        told = f", {about(left)} left" if self.names and left is not None else ""
        self._complete(name, f"{seconds:5.0f} s{told}")

    def fail(self, name: str, fault: str) -> None:
        """Complete the line of a page that failed, and say below it what went wrong."""
        self.names.remove(name)
        first, *rest = fault.splitlines()
        self._complete(name, "\n".join([f"FAILED {first}", *(f"        {line}" for line in rest)]))

    def _complete(self, name: str, text: str) -> None:
        begun = "" if self.workers == 1 else f"      {name:<{WIDTH}}"
        print(begun + text, flush=True)
