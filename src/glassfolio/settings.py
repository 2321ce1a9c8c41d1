"""The only reader of the environment: every setting, with its default and its checks.

Knows nothing of what the settings bring about.
"""

import re
from datetime import date, time, timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from glassfolio.errors import SettingsError
from glassfolio.identity.origin import is_confidential, is_origin

PREFIX = "GLASSFOLIO_"
OFF = "off"
STATUS_RATE = re.compile(r"([1-9][0-9]{0,5})/s, burst ([1-9][0-9]{0,5})", re.ASCII)
NIGHTLY = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]) ([A-Za-z0-9_+/-]{1,64})", re.ASCII)
UPLOAD_RATE = re.compile(r"([1-9][0-9]{0,5})/min, ([1-9][0-9]{0,5})/h", re.ASCII)


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _hour(value: str) -> tuple[time, ZoneInfo] | None:
    found = NIGHTLY.fullmatch(value)
    if found is None:
        return None
    try:
        return time(int(found[1]), int(found[2])), ZoneInfo(found[3])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
Network = IPv4Network | IPv6Network


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
    auth: Literal["local", "jwt"] = "local"
    jwt_issuer: str | None = None
    jwks_url: str | None = None
    jwt_public_key: str | None = None
    jwt_parties: Listed = ()
    jwt_allow_missing_azp: bool = False
    jwt_audience: str | None = None
    admins: Listed = ()
    origins: Listed = ()
    csp_hosts: Listed = ()
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_listed)] = ()
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
    status_rate: str = "1/s, burst 5"
    upload_rate: str = "30/min, 200/h"
    nightly: str = "18:30 America/New_York"

    @field_validator(
        "factor_set",
        "close_delay",
        "provider_rate",
        "prices_dir",
        "token_file",
        "jwt_issuer",
        "jwks_url",
        "jwt_public_key",
        "jwt_audience",
        "public_url",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("public_url")
    @classmethod
    def _safe_address(cls, value: str | None) -> str | None:
        if value is not None and not (is_origin(value.rstrip("/")) and is_confidential(value)):
            raise ValueError(
                "must be https:// with host and port only, in lower case (http:// on loopback only)"
            )
        return value

    @field_validator("origins", "csp_hosts")
    @classmethod
    def _exact_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(is_origin(item) for item in value):
            raise ValueError("lists exact origins such as https://app.example.com: no path, no wildcard")
        return value

    @field_validator("status_rate", "upload_rate")
    @classmethod
    def _is_rate(cls, value: str, info: ValidationInfo) -> str:
        shape, like = (
            (STATUS_RATE, "1/s, burst 5")
            if info.field_name == "status_rate"
            else (UPLOAD_RATE, "30/min, 200/h")
        )
        if value != OFF and not shape.fullmatch(value):
            raise ValueError(f"must look like `{like}`, or be `{OFF}`")
        return value

    @field_validator("nightly")
    @classmethod
    def _is_hour(cls, value: str) -> str:
        if value != OFF and _hour(value) is None:
            raise ValueError(f"must look like `18:30 America/New_York`, or be `{OFF}`")
        return value

    @model_validator(mode="after")
    def _complete(self) -> "Settings":
        if self.provider == "files" and self.prices_dir is None:
            raise ValueError("PROVIDER=files needs PRICES_DIR, the folder with the prices")
        if self.provider == "tiingo" and not self.provider_key.get_secret_value():
            raise ValueError("PROVIDER=tiingo needs PROVIDER_KEY, the API key")
        if self.auth == "jwt":
            self._complete_for_an_outside_issuer()
        return self

    def _complete_for_an_outside_issuer(self) -> None:
        if not self.jwt_issuer:
            raise ValueError("AUTH=jwt needs JWT_ISSUER, the exact `iss` of the tokens")
        if (self.jwks_url is None) == (self.jwt_public_key is None):
            raise ValueError("AUTH=jwt needs one of JWKS_URL and JWT_PUBLIC_KEY")
        if not self.jwt_parties and not self.jwt_allow_missing_azp:
            raise ValueError("AUTH=jwt needs JWT_PARTIES, the `azp` to accept, or JWT_ALLOW_MISSING_AZP=true")

    @property
    def url(self) -> str:
        """The database's address, with its password."""
        if self.database_url is not None and self.database_url.get_secret_value():
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data_dir / 'glassfolio.db').absolute()}"

    @property
    def address(self) -> str:
        """How browsers reach the service."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def status_polls(self) -> tuple[int, int] | None:
        """Polls a second and the burst, for one caller and portfolio; None when they are not limited."""
        found = STATUS_RATE.fullmatch(self.status_rate)
        return (int(found[1]), int(found[2])) if found else None

    @property
    def uploads(self) -> tuple[int, int] | None:
        """Uploads a minute and an hour, for one caller; None when they are not limited."""
        found = UPLOAD_RATE.fullmatch(self.upload_rate)
        return (int(found[1]), int(found[2])) if found else None

    @property
    def night(self) -> tuple[time, ZoneInfo] | None:
        """When the nightly catch-up is due, by the clocks of which zone; None for never."""
        return _hour(self.nightly)

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
