"""A rehearsal of a release: the stack as declared, CI's script and the functions' handlers as they are, AWS in process.

`python -m tools release --stack prod` runs it; docs/release-rehearsal.md says what is real and what is emulated.
"""
