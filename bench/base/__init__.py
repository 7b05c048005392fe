"""What everything stands on: the errors a person can cause, names and texts made harmless, the user's cache."""
