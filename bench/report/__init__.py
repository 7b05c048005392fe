"""What people look at. Nothing in this room measures."""
