"""Checks of parameters that several classes share; each says what was expected and what came."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any


def check_count(value: Any, parameter: str, owner: str, least: int = 1) -> None:
    """Raise unless `value` is an int of at least `least`."""
    _check(value, _is_int(value) and value >= least, f"an int >= {least}", parameter, owner)


def check_step(value: Any, owner: str) -> None:
    """Raise unless `value` is a step: an int >= 1 or a float in (0, 1)."""
    is_share = isinstance(value, Real) and not _is_int(value) and 0 < float(value) < 1
    good = is_share or (_is_int(value) and value >= 1)
    _check(value, good, "an int >= 1 or a float in (0, 1)", "step", owner)


def step_size(step: int | float, n_units: int) -> int:
    """Return how many of `n_units` leave at a time: a number, or a share of all, at least one."""
    return int(step) if step >= 1 else max(1, int(step * n_units))


def check_number(
    value: Any, parameter: str, owner: str, above: float, most: float, *, with_end: bool = True
) -> None:
    """Raise unless `value` is a number above `above` and below `most`, or as large."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    good = is_number and (above < float(value) < most or (with_end and float(value) == most))
    end = "]" if with_end else ")"
    _check(value, good, f"a number in ({above:g}, {most:g}{end}", parameter, owner)


def check_flag(value: Any, parameter: str, owner: str) -> None:
    """Raise unless `value` is True or False."""
    _check(value, isinstance(value, bool), "True or False", parameter, owner)


def check_choice(value: Any, parameter: str, owner: str, choices: tuple[Any, ...]) -> None:
    """Raise unless `value` is one of `choices`."""
    known = any(type(value) is type(choice) and value == choice for choice in choices)
    listed = " or ".join(repr(choice) for choice in choices)
    _check(value, known, listed, parameter, owner)


def _is_int(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _check(value: Any, good: bool, expected: str, parameter: str, owner: str) -> None:
    if not good:
        raise _error_class(value)(
            f"The {parameter!r} parameter of {owner} must be {expected}. Got {value!r} instead."
        )


def _error_class(value: Any) -> type[Exception]:
    """A number or a word that is out of range is a ValueError, anything else a TypeError."""
    is_of_type = isinstance(value, (Real, str)) and not isinstance(value, bool)
    return ValueError if is_of_type else TypeError
