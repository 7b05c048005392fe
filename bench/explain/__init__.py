"""Why a network takes the time that it takes: a profile, read against the machine's roofs and the runtime's rules.

`network` reads a profile's record, `roof` says what the machine could do, `reasons` are statements whose condition
holds in the data, `difference` splits the difference of two networks, `text` lays it out.
"""
