"""The charts of a report: one file each, a function from `bench.report.html.data.Data` to an Altair chart.

The page, `bench report --chart` and the README use the same ones. A chart's data have names (``points``,
``inversions``), by which the page puts other records in their place when somebody filters.
"""
