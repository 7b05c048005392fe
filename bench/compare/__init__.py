"""Result rows, many at a time: one set against another, targets beside each other, and years of nights.

Reads what `bench run` wrote and measures nothing.
"""
