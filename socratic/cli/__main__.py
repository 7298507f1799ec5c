"""`python -m socratic.cli`, the same as `socratic`."""

from socratic.cli import main

main()
