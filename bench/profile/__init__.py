"""Where the time of an inference goes: a runtime's own fused graph with time per operator, corrected for its profiler.

`run` asks the workers, `correct` takes the profiler's cost out, `source` and `classes` say what an operator was in the
source graph, `combine` makes one record of several launches, `table` lays it out.
"""
