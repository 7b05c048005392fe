"""Latency of a network without running it."""
