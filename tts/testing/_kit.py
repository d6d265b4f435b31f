"""What all kinds of checks share: a check is a named function, all failures are told at once, some may be expected."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tts.vocabulary.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    import pytest

T = TypeVar("T")


class Check(NamedTuple):
    """One thing that a plugin must hold: call it; it raises `AssertionError` that says what does not hold."""

    name: str
    subject: str
    run: Callable[[], None]

    def __call__(self) -> None:
        self.run()


def bound(functions: Iterable[Callable[..., None]], subject: str, *arguments: Any) -> list[Check]:
    """The functions as checks of one plugin."""
    return [Check(function.__name__, subject, partial(function, *arguments)) for function in functions]


def failures(checks: Iterable[Check]) -> dict[str, str]:
    """What does not hold, by the name of the check; whatever a check raises counts."""
    found = {}
    for check in checks:
        try:
            check()
        except AssertionError as error:
            found[check.name] = str(error)
        except Exception as error:  # the plugin's own, and it may be anything
            found[check.name] = f"raised {type(error).__name__}: {error}"
    return found


def run_all(checks: Sequence[Check], expected_failures: Mapping[str, str] | None) -> None:
    """Run every check; one `AssertionError` tells all that do not hold.

    `expected_failures` maps the name of a check to the reason why it cannot hold; one that holds is told, too.
    """
    expected = _known(expected_failures, checks)
    found = failures(checks)
    wrong = [f"{name}: {message}" for name, message in found.items() if name not in expected]
    wrong += [f"{name}: it holds; take it out of expected_failures" for name in expected if name not in found]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(checks)} checks on {checks[0].subject} failed", *wrong])


def pickled(plugin: T) -> T:
    """The plugin as another process gets it; raises `AssertionError` where it cannot be sent."""
    try:
        return pickle.loads(pickle.dumps(plugin))  # type: ignore[no-any-return]  # noqa: S301 - written here
    except Exception as error:
        raise AssertionError(f"it cannot be pickled ({error}); define the class at the top of its module") from error


def parametrize(checks: Sequence[Check], expected_failures: Mapping[str, str] | None = None) -> pytest.MarkDecorator:
    """For those who have pytest: one test per check.

        @tts.testing.parametrize(tts.testing.strategy_checks(MyStrategy()))
        def test_mine(check):
            check()

    A check that is expected to fail is a strict xfail.
    """
    import pytest

    expected = _known(expected_failures, checks)
    parameters = []
    for check in checks:
        marks = [pytest.mark.xfail(reason=expected[check.name], strict=True)] if check.name in expected else []
        parameters.append(pytest.param(check, id=f"{check.subject}-{check.name}", marks=marks))
    return pytest.mark.parametrize("check", parameters)


def _known(expected: Mapping[str, str] | None, checks: Sequence[Check]) -> Mapping[str, str]:
    names = {check.name for check in checks}
    for name in expected or {}:
        if name not in names:
            raise ConfigError(f"expected_failures names {name!r}{did_you_mean(name, names)}")
    return expected or {}
