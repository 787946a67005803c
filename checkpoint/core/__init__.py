"""The rules, pure: no clock, no I/O, no framework. You may know the rules by reading only this package."""
