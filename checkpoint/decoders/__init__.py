"""Bytes and text as they come -> values. Decoders are pure, touch nothing, and each knows one format."""
