"""What only the long run does: `make full`."""

import os

import pytest

long = pytest.mark.skipif(os.environ.get("HYPOTHESIS_PROFILE") != "full", reason="only in `make full`")
