"""Mutated inputs, many of them: nothing may end in a traceback, hang, or take the machine's memory.

``make test-fuzz`` runs `tests.fuzz.__main__` with a seed and a time; what was ever found is kept in `corpus` and tried
in ``make test``.
"""
