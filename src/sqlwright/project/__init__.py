"""The driver: runs sqlc and the compiler over a project and writes the generated folders. It never prints."""
