"""Statistics: pure functions on arrays. No clock, no file, no print."""
