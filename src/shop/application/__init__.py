"""What the shop does for those who use it. For now its ports: the read side, which answers with read models, and password hashing."""
