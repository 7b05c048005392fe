"""The workflows of `.github/`: what they run is run here, so that it cannot rot."""
