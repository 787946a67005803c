"""The version of the program, of server and kiosk alike; `pyproject.toml` says the same."""

VERSION = "0.2.0"
