"""Pictures of results: every function takes ``ax=`` and returns the Axes."""

from .plotting_ import *  # noqa: F403
from .plotting_ import __all__  # noqa: F401
