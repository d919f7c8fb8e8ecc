"""What the shop is about, in pure Python: entities, value types, expected errors and the ports that entities need."""
