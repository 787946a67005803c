"""The demonstration: a loop drawn by hand, and a night's work of twenty trucks on it, sent as real devices send it."""
