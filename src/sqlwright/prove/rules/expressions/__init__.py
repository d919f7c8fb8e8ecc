"""Rules for expressions, a module for each kind."""
