"""The description of the service over HTTP: true for generated requests, and complete in the documentation."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, settings
from schemathesis.config import GenerationConfig

from shop.web.problems import OF_ERROR, Problem
