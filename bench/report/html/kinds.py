"""The charts that can be drawn alone: their names, for whoever must not import the drawing yet."""

KINDS = (
    "latency-flops",
    "inversions",
    "pareto",
    "breakdown",
    "ranks",
    "slopes",
    "side-by-side",
    "findings",
    "history",
    "sustain",
)
