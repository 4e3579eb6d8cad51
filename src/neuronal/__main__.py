"""`python -m neuronal`: the command line."""

from .cli import main

main()
