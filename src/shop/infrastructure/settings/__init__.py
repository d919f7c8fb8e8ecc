"""The settings: `model` defines them, `loading` reads them from their `sources`."""
