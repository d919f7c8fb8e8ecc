"""The description of the service over HTTP: true for generated requests, and complete in the documentation."""

from __future__ import annotations
