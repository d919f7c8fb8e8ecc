"""Use cases and their ports.

`commands` write, in `transactions`; `reads` answer questions; `messaging` carries the events of the commands to their consumers. A port is
defined in the module that uses it.
"""
