"""Settings of the whole test run."""

import os

from hypothesis import settings

# The same examples at every run: a change that fails is the change's doing. Look for new examples with
# HYPOTHESIS_PROFILE=search python -m pytest ...
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, max_examples=200)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
