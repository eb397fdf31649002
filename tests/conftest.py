"""Hypothesis profiles: ``HYPOTHESIS_PROFILE=ci`` draws more, and the same each time."""

import os

from hypothesis import settings

# No deadlines: a first call compiles a kernel, and the machine may be busy.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=300, deadline=None, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
