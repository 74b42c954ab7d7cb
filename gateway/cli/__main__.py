"""`python -m gateway.cli`: the same as `callgate`."""

from gateway.cli import main

main()
