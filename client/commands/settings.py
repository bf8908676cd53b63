"""The settings of commands that run or repair Anneal itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from api_schemas.errors import AnnealError, Fault

if TYPE_CHECKING:
    from storage.settings import Settings


class BadSettings(AnnealError):
    """The environment or an option holds a setting that cannot be."""

    code, title = "bad_settings", "Bad settings"


def read_settings(**options: Any) -> Settings:
    """The environment's settings; options that are not None stand over them.

    Raises:
        BadSettings: with a fault for each setting that cannot be.
    """
    # pydantic-settings takes a tenth of a second to import, which the commands on a gateway need not pay.
    from storage.settings import Settings  # noqa: PLC0415

    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        faults = [
            Fault(
                pointer=f"ANNEAL_{str(one['loc'][0]).upper()}",
                code=one["type"],
                message=one["msg"].removeprefix("Value error, "),
            )
            for one in error.errors()
        ]
        raise BadSettings(f"{faults[0].pointer}: {faults[0].message}", faults=faults) from error
