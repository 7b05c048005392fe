"""Everything that is told in the terminal, and as Markdown, CSV and JSON: laid out here, measured elsewhere."""
