"""Commands of the shell that work on the store itself, where whoever can read the data folder is whoever may. Each theme is
one file. What cannot be done now raises `InTheWay` (`ground.py`)."""
