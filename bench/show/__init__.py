"""Result rows in the terminal: which of them, in which order, and drawn as bars; measures nothing."""
