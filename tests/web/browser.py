"""A browser as far as signing in goes: keeps its cookies and says where its requests come from."""

from typing import Any

import httpx

from tests.contracts.running import Running


class Browser:
    """One browser. Forms say that they come from a page of the service, unless told otherwise."""

    def __init__(self, service: Running) -> None:
        self.service = service
        self.client = httpx.Client(base_url=service.url, timeout=30, headers={"Accept": "text/html"})

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_raised: object) -> None:
        self.client.close()

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.client.get(path, **more)

    def post(self, path: str, site: str = "same-origin", **fields: str) -> httpx.Response:
        return self.client.post(path, data=fields, headers={"Sec-Fetch-Site": site})

    def open_link(self, subject: str = "alice") -> httpx.Response:
        """Open a fresh one-time link for a subject."""
        return self.get(f"/sign-in/{self.service.parts.signing_in.make_link(subject)}")

    def bearer(self) -> dict[str, str]:
        """The header of the page's own requests."""
        told = self.post("/session/token")
        assert told.status_code == 200, told.text
        return {"Authorization": f"Bearer {told.json()['token']}"}

    @property
    def cookie(self) -> str | None:
        """The cookie of the sign-in."""
        return self.client.cookies.get("session")

    def is_signed_in(self) -> bool:
        return self.post("/session/token").status_code == 200
