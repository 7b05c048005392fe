"""Result rows, one or many: their schema and files, one set against another, targets side by side, years of nights.

Reads what `bench run` wrote and measures nothing.
"""
