"""What comes from outside, looked at once: integers and real numbers in a range, Python's, NumPy's or another's.

Nothing here imports TensorFlow, so that every module can use it, the command before it has started anything.
"""

import math
import operator
import os
import reprlib
from pathlib import Path
from typing import Any

_SEEDS = 2**31
_REPR = reprlib.Repr()
_REPR.maxother = 100


def integer(name: str, value: Any, low: int, high: int | None = None, *, mend: str = "") -> int:
    """Return a whole number as Python's int.

    Args:
        name: of the argument, for the message.
        value: an int, an integer of NumPy, or what else counts as an index; True and False are none.
        low: the least that is accepted.
        high: the largest that is accepted; no limit if not given.
        mend: a sentence that says what to do, for the end of the message.

    Raises:
        ValueError: for another kind of value, or one out of range.

    Example:
        >>> integer("n", 3, 1), integer("k", 5, 1, 10)
        (3, 5)
        >>> integer("n", True, 1)
        Traceback (most recent call last):
        ValueError: n is True; expected an integer of at least 1.
    """
    try:
        found = None if _is_truth(value) else operator.index(value)
    except TypeError:  # also what an array of several numbers raises
        found = None
    if found is None or found < low or (high is not None and found > high):
        if high is None:
            wanted = f"an integer of at least {low}"
        elif high >= 2**16 and high & (high + 1) == 0:
            wanted = f"an integer in [{low}, 2**{high.bit_length()})"
        else:
            wanted = f"an integer in [{low}, {high}]"
        raise ValueError(_message(name, value, wanted, mend))
    return found


def seed(value: Any, name: str = "seed") -> int:
    """Return a seed as Python's int in [0, 2**31), the range that Python, NumPy and TensorFlow share.

    Raises:
        ValueError: for anything else.

    Example:
        >>> seed(7)
        7
    """
    return integer(name, value, 0, _SEEDS - 1, mend=f"Pass for example {name}=0.")


def real(
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: float = -math.inf,
    below: float = math.inf,
    mend: str = "",
) -> float:
    """Return a finite real number as Python's float.

    Args:
        name: of the argument, for the message.
        value: a number of Python or NumPy, a fraction or a decimal; no truth value, text or array of several.
        low: the least that is accepted.
        high: the largest that is accepted.
        above: a border that the value must lie above, in place of `low`.
        below: a border that the value must lie below, in place of `high`.
        mend: a sentence that says what to do, for the end of the message.

    Raises:
        ValueError: for another kind of value, NaN, infinity, or one out of range.

    Example:
        >>> real("rate", 1, above=0), real("share", 0.5, 0, 1)
        (1.0, 0.5)
        >>> real("decay", float("nan"), 0, below=1)
        Traceback (most recent call last):
        ValueError: decay is nan; expected a finite number in [0, 1).
    """
    try:
        # float() reads text and truth values too, and arrays with a single number in brackets
        found = math.nan if _is_truth(value) or isinstance(value, str | bytes | bytearray) else _float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not (low <= found <= high and above < found < below):
        raise ValueError(_message(name, value, f"a finite number{_range(low, high, above, below)}", mend))
    return found


def number(value: Any) -> float | None:
    """Return a real scalar, Python's, NumPy's or a tensor, as Python's float; None for anything else.

    Example:
        >>> number(3), number("3"), number([1.0, 2.0])
        (3.0, None, None)
    """
    if isinstance(value, str | bytes | bytearray) or value is None or getattr(value, "ndim", None):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def range_fault(low: float, high: float, *, tolerance: float = 0.0) -> str | None:
    """Return what is wrong with images of floats whose pixels reach from `low` to `high`, or None.

    Args:
        low: the least pixel, finite.
        high: the largest pixel, finite.
        tolerance: how far a pixel may lie outside [-1, 1].

    Example:
        >>> range_fault(-1.0, 1.000001)
        'images range from -1 to 1.000001; expected [-1, 1]. Clip them, or scale them anew.'
    """
    if low >= -1.0 - tolerance and high <= 1.0 + tolerance:
        return None
    mend = "For 0..255 use x / 127.5 - 1." if low >= 0.0 and high > 2.0 else "Clip them, or scale them anew."
    return f"images range from {_outside(low)} to {_outside(high)}; expected [-1, 1]. {mend}"


def range_doubt(low: float, high: float) -> str | None:
    """Return why images whose pixels lie in [-1, 1] may still be scaled wrongly, or None.

    Args:
        low: the least pixel of all images.
        high: the largest pixel of all images.

    Example:
        >>> range_doubt(0.0, 1.0)
        'no pixel is below 0 (0 to 1): images in [0, 1]? Expected [-1, 1], so 2 * images - 1.'
    """
    if low >= 0.0:
        return f"no pixel is below 0 ({low:.4g} to {high:.4g}): images in [0, 1]? Expected [-1, 1], so 2 * images - 1."
    if -1.0 < high <= -0.9:
        return f"no pixel is above {high:.4g}, so the images are nearly black: divided by 255 twice? Expected [-1, 1]."
    return None


def path(name: str, value: Any) -> Path:
    """Return what names a file or folder as a `Path`.

    Raises:
        ValueError: for anything but a text, bytes or a path.

    Example:
        >>> path("file", "a/b.json").name
        'b.json'
    """
    try:
        return Path(os.fsdecode(value))
    except TypeError:
        raise ValueError(f"{name} is {shown(value)}; expected a path, for example {name}='x'.") from None


def printable(text: Any) -> str:
    r"""Return a text, or a path, in which what no terminal or file should get is written as an escape.

    Names of files may hold any bytes; those that are no text, line breaks and control characters are such.

    Example:
        >>> printable("caf\udce9"), printable("a b")
        ('caf\\udce9', 'a b')
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def shown(value: Any) -> str:
    """Return a value as it is named in a message: its `repr` on one line, short, whatever the value does.

    Example:
        >>> shown("a"), shown([0] * 100)
        ("'a'", '[0, 0, 0, 0, 0, 0, ...]')
    """
    try:
        text = " ".join((repr(value) if isinstance(value, str) else _REPR.repr(value)).split())
    except Exception:  # such as an int of more than 4,300 digits
        return f"<a value of type {type(value).__name__}>"
    return text if len(text) <= 200 else f"{text[:200]}..."


def _outside(border: float) -> str:
    """Return a number in few digits, but so many that it does not seem to lie within [-1, 1] where it does not."""
    for digits in range(4, 18):
        text = f"{border:.{digits}g}"
        if (abs(float(text)) > 1.0) == (abs(border) > 1.0):
            break
    return text


def _float(value: Any) -> float:
    if getattr(value, "ndim", 0):
        raise TypeError
    return float(value)


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or getattr(getattr(value, "dtype", None), "name", "") == "bool"


def _range(low: float, high: float, above: float, below: float) -> str:
    lower, upper = max(low, above), min(high, below)
    if math.isinf(lower) and math.isinf(upper):
        return ""
    if math.isinf(upper):
        return f" above {lower:g}" if above >= low else f" of at least {lower:g}"
    if math.isinf(lower):
        return f" below {upper:g}" if below <= high else f" of at most {upper:g}"
    return f" in {'(' if above >= low else '['}{lower:g}, {upper:g}{')' if below <= high else ']'}"


def _message(name: str, value: Any, wanted: str, mend: str) -> str:
    return f"{name} is {shown(value)}; expected {wanted}.{f' {mend}' if mend else ''}"
