"""The operator's batches from the terminal."""

import pytest

from tests.cli.conftest import Run

ONBOARD = ("onboard", "holdings.csv", "--equity", "20000")


@pytest.fixture
def portfolio_id(glassfolio: Run, request: pytest.FixtureRequest) -> str:
    done = glassfolio(*ONBOARD, "--name", request.node.name)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[0].removeprefix("portfolio ")


def test_a_batch_is_foreseen_started_listed_and_cancelled(glassfolio: Run, portfolio_id: str) -> None:
    """S16b, S21: no worker lives, so it says that the runs wait."""
    chosen = ("batch", "run", "--portfolio", portfolio_id, "--force", "--from", "2022-12-20")
    told = glassfolio(*chosen, "--to", "2022-12-21", "--dry-run")
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == [
        f"{portfolio_id}: repair, 2 sessions from 2022-12-20 to 2022-12-21",
        "1 portfolios, 2 snapshots, 0 requests. Nothing was started.",
    ]
    started = glassfolio(*chosen, LEASE="0.5")
    assert started.returncode == 0, started.stderr
    lines = started.stdout.splitlines()
    batch_id, run_id = lines[0].removeprefix("batch "), lines[1].split()[1]
    assert lines[1].endswith("repair, 6 sessions from 2022-12-20 to 2022-12-28")
    assert "`glassfolio serve` or `glassfolio worker`" in lines[-1]
    listed = glassfolio("batch", "list").stdout.splitlines()
    assert f"{run_id} {batch_id} {portfolio_id} repair cli queued" in listed
    assert glassfolio("batch", "cancel", batch_id).returncode == 0
    again = glassfolio("batch", "cancel", batch_id)
    assert (again.returncode, "nothing to cancel" in again.stderr) == (2, True)
    listed = glassfolio("batch", "list").stdout.splitlines()
    assert f"{run_id} {batch_id} {portfolio_id} repair cli cancelled" in listed
    night = glassfolio("batch", "nightly")
    assert night.returncode == 0
    assert f"left out {portfolio_id}: up_to_date" in night.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--all"),
        (("--all", "--portfolio", "4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a10"), "--all"),
        (("--portfolio", "x"), "no id of a portfolio"),
        (("--portfolio", "4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a10"), "no such portfolio"),
        (("--portfolio", ""), "no id of a portfolio"),
        (("--all", "--from", "yesterday"), "--from"),
        (("--all", "--from", "2022-12-02", "--to", "2022-12-01"), "before the start"),
    ],
    ids=str,
)
def test_what_does_not_say_which_portfolios_is_exit_2(
    glassfolio: Run, arguments: tuple[str, ...], said: str
) -> None:
    """S16f"""
    done = glassfolio("batch", "run", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
