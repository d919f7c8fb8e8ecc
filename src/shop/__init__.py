"""A shop's users: the reference service. Imports point inward: bootstrap, infrastructure, application, domain."""
