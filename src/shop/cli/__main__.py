"""`python -m shop.cli`."""

from shop.cli import main

main()
