"""The composition root: the only package that imports adapters. Each module imports what it composes, since no command needs all of it."""
