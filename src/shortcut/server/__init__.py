"""A trained model answers over HTTP: `running.py` starts it, `application.py` says what is
where."""
