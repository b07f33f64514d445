"""The table of them."""

from collections.abc import Callable

from capture.nets import Outcome

KINDS: dict[str, Callable[[], Outcome]] = {}


def kind(function: Callable[[], Outcome]) -> Callable[[], Outcome]:
    KINDS[function.__name__] = function
    return function
