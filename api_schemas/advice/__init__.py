"""What looks unwise in a spec, and the change that puts it right."""

from __future__ import annotations

from api_schemas.advice.schemas import Advice, PatchOperation

__all__ = ["Advice", "PatchOperation"]
