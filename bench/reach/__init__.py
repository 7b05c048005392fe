"""Ways to a device: here, over ssh, into a container. What runs there is always a worker with JSON lines in and out.

`base` is the contract, `local` the machine at hand. Everything else holds one line to an `outpost`, a process there
that starts the workers and ends them all when the line goes dead (`line` is this end of it, `remote` what both share).
"""
