"""Parameters of a step: frozen models with a sentence and a range for every field."""

from pydantic import BaseModel, ConfigDict


class Parameters(BaseModel):
    """Base of every step's parameters; the configuration file, the command line and the docs come from it.

    Every field is declared with ``pydantic.Field(default, description="…", ge=…, le=…)``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
