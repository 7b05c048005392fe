"""Probes: tiny graphs that a backend runs to tell what the machine can do, or how long one operator takes."""
