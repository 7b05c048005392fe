"""Measuring: the parent schedules (`runner`), one child process per launch measures (`worker`)."""
