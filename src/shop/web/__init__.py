"""The service over HTTP: an adapter like the command line, which calls use cases and shows their outcomes."""
