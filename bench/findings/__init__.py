"""The published claims as experiments with a verdict on the device at hand.

One module per paper holds its findings; `catalog` has them all. `replicates` measures, `store` keeps the evidence,
`evaluate` and `verdict` judge it.
"""
