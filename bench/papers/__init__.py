"""What papers print, as typed records: published numbers, figures, tables, claims."""
