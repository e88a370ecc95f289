"""Run the property tests with many more examples than the test suite does.

usage: python .ci/fuzz.py [examples]
"""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


class ManyExamples:
    """A plugin that loads the profile; hypothesis must not be imported before pytest's own."""

    def __init__(self, examples: int) -> None:
        self.examples = examples

    def pytest_configure(self) -> None:
        """The plugins are loaded."""
        from hypothesis import HealthCheck, settings  # noqa: PLC0415

        settings.register_profile(
            "fuzz",
            max_examples=self.examples,
            deadline=None,
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow],
        )
        settings.load_profile("fuzz")


if __name__ == "__main__":
    os.chdir(ROOT)
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    # The plugin of hypothesis marks every property test `hypothesis`.
    arguments = ["tests", "-m", "hypothesis", "--timeout=0", "--ignore=tests/browser"]
    sys.exit(pytest.main(arguments, plugins=[ManyExamples(examples)]))
