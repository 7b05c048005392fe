"""The page of charts: `data` gathers what it shows, `charts/` draws it, `page` and `plot` write it."""
