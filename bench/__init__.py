"""Measures how long a neural network takes on a device, and says why.

The package imports nothing heavy: a runtime is imported in the worker that measures it, PyTorch in the process
that exports. The way of the data and the rooms of the house are told in ``docs/architecture.md``.
"""

__version__ = "0.1.0"
