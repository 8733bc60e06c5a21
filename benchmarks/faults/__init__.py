"""The cases of `serving_faults.py`: what is done to a server, and what is then expected of it."""
