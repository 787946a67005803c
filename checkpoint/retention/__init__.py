"""What is kept how long, and what leaves when its term is over: terms as data (`terms.py`), which facts leave (`leaving.py`,
which decides and does nothing), and the sweep that does it and says what it did (`sweeping.py`)."""
