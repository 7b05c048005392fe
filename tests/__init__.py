"""Tests. NumPy is loaded here with one thread: beside another process of tests, threads that wait cost more."""

import os

_asked = os.environ.get("OPENBLAS_NUM_THREADS")
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy  # noqa: E402, F401

del os.environ["OPENBLAS_NUM_THREADS"]  # what tests start is as it would be
if _asked is not None:
    os.environ["OPENBLAS_NUM_THREADS"] = _asked
