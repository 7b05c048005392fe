"""What the machine could do: a peak and a bandwidth to hold operators against.

Taken from the roofline of the profile's machine (`bench roofline`), else from the profile itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.profiling.network import ProfiledNetwork, ProfiledOperator


@dataclass(frozen=True)
class Roof:
    """A peak in MACs per ns and a bandwidth in bytes per ns for an operator that touches so many bytes.

    `origin` says in words where both come from, or why they are not `known`: then they are endless, and floors are 0.
    """

    peak_gmacs_per_s: float
    bandwidth_gb_per_s: Callable[[float], float]
    origin: str

    @property
    def known(self) -> bool:
        """Whether there is anything to hold operators against."""
        return math.isfinite(self.peak_gmacs_per_s)

    def compute_us(self, op: ProfiledOperator) -> float:
        """Least time for an operator's MACs."""
        return op.macs / self.peak_gmacs_per_s / 1e3 if op.macs else 0.0

    def memory_us(self, op: ProfiledOperator) -> float:
        """Least time for the bytes that an operator moves."""
        return op.moved_bytes / self.bandwidth_gb_per_s(op.moved_bytes) / 1e3 if op.moved_bytes else 0.0

    def floor_us(self, op: ProfiledOperator) -> float:
        """Least time of an operator: the longer of the two."""
        return max(self.compute_us(op), self.memory_us(op))

    def ridge(self, operators: Sequence[ProfiledOperator]) -> float:
        """MACs per byte from which on the peak bounds operators of these sizes, and no longer the bandwidth."""
        moved, time_us = sum(op.moved_bytes for op in operators), sum(self.memory_us(op) for op in operators)
        return self.peak_gmacs_per_s * time_us * 1e3 / moved if moved else 0.0


def find(networks: Sequence[ProfiledNetwork]) -> Roof:
    """Return the roof for networks of one runtime: their machine's measured one if there is one, else the profiles'."""
    return measured(networks[0]) or of_profiles(networks)


def measured(network: ProfiledNetwork) -> Roof | None:
    """Return the roofline that was measured on the machine and with the runtime of the profile, if it is known here."""
    from bench.machine import roofs as store

    found = store.known(network.machine, network.backend, network.version, network.threads)
    if not network.machine or found is None or found.precision != network.precision:
        return None
    return Roof(found.peak_gmacs_per_s, found.bandwidth_gb_per_s, "measured by `bench roofline`")


def of_profiles(networks: Sequence[ProfiledNetwork]) -> Roof:
    """Take the best rates that the profiles themselves reach, in an operator or as a whole.

    Both are lower bounds of what is possible. Only operators that the profiler can tell precisely count. Without any
    there is no roof: a tiny network as a whole is far below what its operators reach.
    """
    every = [op for network in networks for op in network.operators if op.precise and op.time_us > 0]
    if not every:
        return Roof(math.inf, lambda moved_bytes: math.inf, "no operator takes long enough to tell its rate")
    whole = [(n.macs, sum(op.moved_bytes for op in n.operators), n.latency_ms * 1e3) for n in networks]
    rates = [(op.macs, op.moved_bytes, op.time_us) for op in every] + whole
    rate = max(macs / time_us / 1e3 for macs, _, time_us in rates) or 1.0
    bandwidth = max(moved / time_us / 1e3 for _, moved, time_us in rates) or 1.0
    return Roof(rate, lambda moved_bytes: bandwidth, "the best operators of the profile; `bench roofline` knows more")
