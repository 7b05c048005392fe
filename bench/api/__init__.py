"""What ``import bench`` offers: measure, compare, count, profile and load from Python, with typed results.

The commands of the same names share these functions (`bench.api.measuring`), so that a notebook and a terminal measure
alike.
"""

from __future__ import annotations

from bench.api.calls import ab as ab
from bench.api.calls import inspect as inspect
from bench.api.calls import load as load
from bench.api.calls import profile as profile
from bench.api.calls import run as run
from bench.api.comparison import Comparison as Comparison
from bench.api.graphs import Breakdown as Breakdown
from bench.api.graphs import Inspection as Inspection
from bench.api.progress import Progress as Progress
from bench.api.results import Results as Results
from bench.base.errors import BenchError as BenchError
