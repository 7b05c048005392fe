"""Where the time of an inference goes and why: a runtime's own fused graph with time per operator, and what it says.

`correct` takes the profiler's cost out, `source` and `classes` say what an operator was in the source graph, `combine`
makes one record of several launches. `network` reads such a record, `roofs` says what the machine could do, `reasons`
are statements whose condition holds in the data, `difference` splits the difference of two networks.
"""
