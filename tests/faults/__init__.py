"""What the system refuses: a full disk, a closed terminal, a home that cannot be written, little memory."""
