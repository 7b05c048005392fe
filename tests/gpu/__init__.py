"""The GPU path: a scripted device for tests, and the program behind ``make gpu`` (``python -m tests.gpu --help``)."""
