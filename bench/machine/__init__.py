"""The machine at hand: what it is, how fast it usually is, its roofline, and what will spoil a measurement on it."""
