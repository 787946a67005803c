"""Backups: a copy of the record with a manifest that says what it is, and the way back.

The law of this package: a backup is whole or it is not there. It grows under a name that nothing takes for a backup and gets
its own when it was read back and proved; a copy that is brought back grows beside its place and is proved before it takes it.
The key file is in none of them.
"""
