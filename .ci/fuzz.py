"""Run the property tests with many more examples than the test suite does.

usage: python .ci/fuzz.py [examples]
"""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    os.chdir(ROOT)
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    settings.register_profile(
        "fuzz",
        max_examples=examples,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("fuzz")
    # The plugin marks every property test `hypothesis`.
    sys.exit(pytest.main(["tests", "-m", "hypothesis", "--timeout=0", "--ignore=tests/browser"]))
