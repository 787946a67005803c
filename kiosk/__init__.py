"""The station's own program: reads passes, shows verdicts and keeps what happened, with or without a network."""
