"""The artifact: an exported network and what was derived from it, read, hashed, and made ready to travel."""
