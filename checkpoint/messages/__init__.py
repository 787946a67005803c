"""What leaves the house by itself: events for other people's programs, signed and sent until they are taken."""
