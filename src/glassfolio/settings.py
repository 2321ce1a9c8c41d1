"""The only reader of the environment: every setting, with its default and its checks.

Knows nothing of what the settings bring about.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from glassfolio.errors import SettingsError

PREFIX = "GLASSFOLIO_"


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Settings(BaseSettings):
    """Settings from the environment (prefix GLASSFOLIO_) and from `.env` in the working directory."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    data_dir: Path = Path(".glassfolio")
    database_url: SecretStr | None = None
    provider: Literal["bundled", "files", "tiingo"] = "bundled"
    provider_url: str | None = None
    provider_key: SecretStr = SecretStr("")
    provider_rate: Annotated[float, Field(gt=0)] | None = None
    prices_dir: Path | None = None
    factor_set: Literal["demo", "us-etf"] | None = None
    auth: Literal["local"] = "local"
    history_sessions: Annotated[int, Field(ge=1, le=5000)] | Literal["all"] = 254
    close_delay: Annotated[float, Field(ge=0)] | None = None  # minutes after the close
    min_valued: Annotated[float, Field(ge=0, le=1)] = 0.5
    risk_free_rate: Annotated[float, Field(gt=-0.5, lt=1)] = 0.0  # annual yield
    lease: Annotated[float, Field(ge=0.5)] = 12.0
    extra_closures: Annotated[tuple[date, ...], NoDecode, BeforeValidator(_listed)] = ()
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    public_url: str | None = None
    token_file: Path | None = None  # for `watch --url`
    log_format: Literal["console", "json"] | None = None

    @field_validator("factor_set", "close_delay", "provider_rate", "prices_dir", "token_file", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _complete(self) -> "Settings":
        if self.provider == "files" and self.prices_dir is None:
            raise ValueError("PROVIDER=files needs PRICES_DIR, the folder with the prices")
        if self.provider == "tiingo" and not self.provider_key.get_secret_value():
            raise ValueError("PROVIDER=tiingo needs PROVIDER_KEY, the API key")
        return self

    @property
    def url(self) -> str:
        """The database's address, with its password."""
        if self.database_url is not None and self.database_url.get_secret_value():
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data_dir / 'glassfolio.db').absolute()}"

    @property
    def address(self) -> str:
        """How browsers reach the service."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def factors(self) -> str:
        """The factor set in use: `demo` goes with the bundled prices."""
        return self.factor_set or ("demo" if self.provider == "bundled" else "us-etf")

    @property
    def history(self) -> int | None:
        """Sessions a first run goes back; None from the first lot on."""
        return None if self.history_sessions == "all" else self.history_sessions

    @property
    def delay(self) -> timedelta | None:
        """Time after a close before its bar is asked for; None for the provider's own."""
        return None if self.close_delay is None else timedelta(minutes=self.close_delay)


def load(**changes: object) -> Settings:
    """The settings of this process; `changes` win over the environment. Raises SettingsError."""
    given = {name: value for name, value in changes.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        said = []
        for problem in error.errors(include_input=False, include_url=False):
            name = PREFIX + str(problem["loc"][0]).upper() if problem["loc"] else ""
            said.append(f"{name}: {problem['msg']}" if name else str(problem["msg"]))
        raise SettingsError("; ".join(said)) from None
