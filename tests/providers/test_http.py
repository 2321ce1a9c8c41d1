"""The client's waiting, its reading of Retry-After, and the breaker."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from glassfolio.errors import SettingsError
from glassfolio.model.market import FailureKind
from glassfolio.providers.base import Refusal
from glassfolio.providers.circuit import OPEN_SECONDS, Circuit
from glassfolio.providers.http import LONGEST_PAUSE, HttpClient, Reply, Service, origin_of, read_retry_after
from glassfolio.providers.timing import Timeouts
from tests.fakes.tiingo import FakeTiingo
from tests.providers.doubles import KEY, FakeThrottle, FakeTime

NOW = datetime(2023, 1, 3, 12, 0, tzinfo=UTC)
PATH, RANGE = "/tiingo/daily/AAPL/prices", {"startDate": "2022-03-01", "endDate": "2022-03-31"}
LIMITED = Refusal(FailureKind.RATE_LIMITED)


def make_client(url: str, time: FakeTime, throttle: FakeThrottle, timeouts: Timeouts) -> HttpClient:
    service = Service(url, {"Authorization": f"Token {KEY}"}, KEY, lambda _reply: None)
    return HttpClient(service, throttle, time.timing(), timeouts)


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("Tue, 03 Jan 2023 12:01:00 -0000", 60.0),
        ("999999999999999999", LONGEST_PAUSE),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_PAUSE),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("١٢", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text: str | None, seconds: float | None) -> None:
    assert read_retry_after(text, NOW) == seconds


@pytest.mark.parametrize(
    "url, origin",
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://proxy.example/some/path?x=1", "https://proxy.example"),
        ("http://[::1]:80/", "http://[::1]"),
    ],
)
def test_an_address_replaces_scheme_host_and_port_only(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url", ["", "api.tiingo.com", "ftp://host", "http://", "http://user:pw@host", "http://h:x", "file:///etc"]
)
def test_an_address_that_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        origin_of(url)


def test_waits_between_attempts_grow_and_end_with_the_third(calendar: object) -> None:
    time = FakeTime()
    throttle = FakeThrottle(time)
    with FakeTiingo(faults={"AAPL": "server_error"}) as fake:
        outcome = make_client(fake.url, time, throttle, Timeouts()).get(PATH, RANGE)
    assert isinstance(outcome, Refusal)
    assert outcome.kind is FailureKind.NETWORK
    assert time.naps == [0.5, 1.0]
    assert throttle.pauses == []
    assert throttle.taken == 3


def test_a_short_wait_for_the_allowance_is_sat_out_and_a_long_one_handed_back() -> None:
    time = FakeTime()
    throttle = FakeThrottle(time)
    with FakeTiingo() as fake:
        client = make_client(fake.url, time, throttle, Timeouts(patience=10.0))
        throttle.pause(4.0)
        assert isinstance(client.get(PATH, RANGE), Reply)
        throttle.pause(72.0)
        outcome = client.get(PATH, RANGE)
        assert outcome == Refusal(FailureKind.RATE_LIMITED, 72.0, "the allowance of requests is used up")
        assert len(fake.hits) == 1
    assert time.naps == [4.0]


def test_an_answer_that_outlasts_the_total_time_is_given_up() -> None:
    time = FakeTime()
    with FakeTiingo() as fake:
        client = make_client(fake.url, time, FakeThrottle(time), Timeouts(total=-1.0))
        outcome = client.get(PATH, RANGE)
    assert isinstance(outcome, Refusal)
    assert (outcome.kind, outcome.detail) == (FailureKind.NETWORK, "the answer took too long")


def test_a_page_instead_of_an_answer_is_a_block_even_as_404() -> None:
    """A wrong address must not make every symbol look delisted."""
    time = FakeTime()
    with FakeTiingo() as fake:
        outcome = make_client(fake.url, time, FakeThrottle(time), Timeouts()).get("/elsewhere", {})
    assert isinstance(outcome, Refusal)
    assert outcome.kind is FailureKind.BLOCKED


def test_the_circuit_opens_at_the_third_rate_limit_in_a_row_for_as_long_as_asked() -> None:
    time = FakeTime()
    circuit = Circuit(time.monotonic)
    circuit.note(LIMITED)
    circuit.note(LIMITED)
    assert circuit.refusal() is None
    circuit.note(Refusal(FailureKind.RATE_LIMITED, 300.0))
    held = circuit.refusal()
    assert held is not None
    assert (held.kind, held.retry_after) == (FailureKind.RATE_LIMITED, 300.0)
    time.sleep(300.0)
    assert circuit.refusal() is None


def test_after_the_pause_one_more_refusal_opens_the_circuit_again() -> None:
    time = FakeTime()
    circuit = Circuit(time.monotonic)
    for _ in range(3):
        circuit.note(LIMITED)
    time.sleep(OPEN_SECONDS)
    assert circuit.refusal() is None
    circuit.note(LIMITED)
    assert circuit.refusal() is not None


@pytest.mark.parametrize("between", [None, Refusal(FailureKind.NOT_FOUND), Refusal(FailureKind.BLOCKED)])
def test_another_outcome_in_between_starts_the_count_afresh(between: Refusal | None) -> None:
    circuit = Circuit(FakeTime().monotonic)
    for outcome in (LIMITED, LIMITED, between, LIMITED, LIMITED):
        circuit.note(outcome)
    assert circuit.refusal() is None


def test_network_trouble_neither_opens_the_circuit_nor_forgets_refusals() -> None:
    circuit = Circuit(FakeTime().monotonic)
    for outcome in (LIMITED, LIMITED, Refusal(FailureKind.NETWORK)):
        circuit.note(outcome)
    assert circuit.refusal() is None
    circuit.note(LIMITED)
    assert circuit.refusal() is not None
