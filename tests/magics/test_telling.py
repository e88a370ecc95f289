"""Errors of ours are sentences; those of the user stay what they are."""

import pytest
from IPython.core.error import UsageError

from nbchannels.exceptions import NotFound
from nbchannels.magics.telling import told


def raises(error):
    raise error


def test_results_pass():
    assert told(int, "7") == 7


@pytest.mark.parametrize("error", [NotFound("no such one"), TimeoutError("no such one")])
def test_our_errors_are_sentences(error):
    with pytest.raises(UsageError, match=f"^{type(error).__name__}: no such one$"):
        told(raises, error)


def test_others_pass():
    with pytest.raises(ZeroDivisionError):
        told(raises, ZeroDivisionError())
