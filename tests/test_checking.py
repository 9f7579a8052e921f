from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from gan_utils import checking

INTEGERS = (np.int8(7), np.int64(7), np.uint8(7), np.array(7))


@pytest.mark.parametrize("value", INTEGERS, ids=lambda value: type(value).__name__)
def test_every_kind_of_integer_becomes_pythons(value):
    assert type(checking.integer("n", value, 0, 10)) is int and checking.integer("n", value, 7, 7) == 7


OTHERS = (True, np.True_, np.array(True), 7.0, np.float64(7), "7", None, [7], np.array([7]), 11, -1, 10**5000)


@pytest.mark.parametrize("value", OTHERS, ids=lambda value: type(value).__name__)
def test_what_is_no_integer_in_the_range_is_named_in_one_line(value):
    with pytest.raises(ValueError, match=r"^steps is .*; expected an integer in \[0, 10\]\. Lower it\.$") as caught:
        checking.integer("steps", value, 0, 10, mend="Lower it.")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_borders_of_integers_are_told_as_they_are_checked():
    with pytest.raises(ValueError, match=r"^n is 0; expected an integer of at least 1\.$"):
        checking.integer("n", 0, 1)
    with pytest.raises(ValueError, match=r"^seed is 2147483648; expected an integer in \[0, 2\*\*31\)\."):
        checking.seed(2**31)
    assert checking.seed(np.uint32(2**31 - 1)) == 2**31 - 1


REALS = (1, 0.5, np.float32(0.5), np.int64(1), np.array(0.5), Fraction(1, 2), Decimal("0.5"))


@pytest.mark.parametrize("value", REALS, ids=lambda value: type(value).__name__)
def test_every_kind_of_real_number_becomes_a_float(value):
    assert type(checking.real("rate", value)) is float and checking.real("rate", value, 0.5, 1) in (0.5, 1)


NO_REALS = (True, np.True_, "0.5", b"0.5", None, 1j, np.array([0.5]), np.nan, np.inf, -np.inf, 10**400, Decimal("sNaN"))


@pytest.mark.parametrize("value", NO_REALS, ids=lambda value: type(value).__name__)
def test_what_is_no_finite_number_is_named_in_one_line(value):
    with pytest.raises(ValueError, match=r"^weight is .*; expected a finite number\.$"):
        checking.real("weight", value)


@pytest.mark.parametrize(
    ("borders", "inside", "outside", "told"),
    [
        ({"low": 0}, 0, -1e-9, r" of at least 0"),
        ({"above": 0}, 1e-9, 0, r" above 0"),
        ({"high": 2}, 2, 3, r" of at most 2"),
        ({"below": 2}, 1, 2, r" below 2"),
        ({"low": 0, "high": 1}, 1, 1.5, r" in \[0, 1\]"),
        ({"above": 0, "below": 1}, 0.5, 1, r" in \(0, 1\)"),
        ({"low": 0, "below": 1}, 0, 1, r" in \[0, 1\)"),
    ],
)
def test_borders_of_real_numbers_are_told_as_they_are_checked(borders, inside, outside, told):
    assert checking.real("x", inside, **borders) == inside
    with pytest.raises(ValueError, match=rf"^x is .*; expected a finite number{told}\.$"):
        checking.real("x", outside, **borders)


def test_values_that_cannot_be_printed_are_named_by_their_type():
    class Broken:
        def __repr__(self):
            raise RuntimeError

    assert checking.shown(Broken()).startswith("<Broken instance at")
    assert checking.shown(10**5000) == "<a value of type int>"
    assert "\n" not in checking.shown(np.zeros((50, 50))) and len(checking.shown("x" * 1000)) < 300


@pytest.mark.parametrize("most", [1.0000001, np.nextafter(1.0, 2.0), 1.5, 255.0, 1e30])
def test_borders_of_images_are_printed_so_that_the_message_is_true(most):
    told = checking.range_fault(-1.0, most)
    assert float(told.split(" to ")[1].split(";")[0]) > 1.0
    assert float(checking.range_fault(-most, 0.5).split("from ")[1].split(" to")[0]) < -1.0
    assert checking.range_fault(-1.0, 1.0) is None is checking.range_fault(-1.005, 1.005, tolerance=0.01)
    assert ("127.5" in checking.range_fault(0.0, most)) == (most > 2)


def test_ranges_that_are_allowed_and_unlikely_are_doubted():
    assert "2 * images - 1" in checking.range_doubt(0.0, 1.0) and "[0, 1]?" in checking.range_doubt(0.5, 0.5)
    assert "twice" in checking.range_doubt(-1.0, 1 / 127.5 - 1)
    assert checking.range_doubt(-1.0, 1.0) is None is checking.range_doubt(-0.1, 0.1)
    assert checking.range_doubt(-1.0, -1.0) is None  # black


def test_paths_of_any_bytes_are_taken_and_printed():
    assert checking.path("file", b"caf\xe9") == checking.path("file", "caf\udce9")
    assert checking.printable(checking.path("file", b"caf\xe9")) == "caf\\udce9"
    assert checking.printable("a\nb\x1b[31m é") == "a\\nb\\x1b[31m é"
    for wrong in (None, 3, ["a"]):
        with pytest.raises(ValueError, match=r"file is .*; expected a path"):
            checking.path("file", wrong)
