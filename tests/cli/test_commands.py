"""The commands: what they print, and the exit codes that scripts rely on."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from glassfolio import __version__
from glassfolio.cli.operate import link, token
from glassfolio.errors import SettingsError
from tests.cli.conftest import HOLDINGS, Run, environment
from tests.contracts.plain_client import PlainClient
from tests.contracts.running import ended, make_settings, opened, wait_for
from tests.databases import SERVER

COMMANDS = ("serve", "worker", "onboard", "watch", "demo", "doctor", "migrate", "token", "version")
ONBOARD = ("onboard", "holdings.csv", "--equity", "20000")


def test_help_names_every_command(glassfolio: Run) -> None:
    done = glassfolio("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert re.search(rf"^\W*{command}\s+\S", done.stdout, re.MULTILINE), command


def test_version_is_the_packages(glassfolio: Run) -> None:
    assert glassfolio("version").stdout.strip() == __version__


def test_an_unknown_command_is_a_usage_error(glassfolio: Run) -> None:
    assert glassfolio("nonsense").returncode == 2


def test_a_setting_that_makes_no_sense_is_named_without_its_value(glassfolio: Run) -> None:
    done = glassfolio("doctor", PROVIDER="canary")
    assert done.returncode == 2
    assert "GLASSFOLIO_PROVIDER" in done.stderr
    assert "canary" not in done.stderr
    assert "Traceback" not in done.stderr


class TestOnboard:
    def test_a_file_is_carried_to_its_end_and_can_be_watched_again(self, glassfolio: Run) -> None:
        """Exit 0 is completed; without a terminal there is one plain line per event, no control codes."""
        done = glassfolio(*ONBOARD, "--name", "Whole")
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        found = re.fullmatch(r"portfolio ([0-9a-f-]{36})", lines[0])
        assert found
        assert any("Market Data Collection started." in line for line in lines)
        assert "Done in" in lines[-1]
        assert "\x1b" not in done.stdout
        again = glassfolio("watch", found[1])
        assert again.returncode == 0
        assert "Done in" in again.stdout.splitlines()[-1]
        assert glassfolio("watch", found[1], "--subject", "somebody-else").returncode == 2

    def test_json_is_a_document_a_line_each_after_the_contract(self, glassfolio: Run) -> None:
        """S1 to S9 in the terminal too; S21: the trigger is the command line."""
        done = glassfolio(*ONBOARD, "--name", "Json", "--json")
        assert done.returncode == 0
        plain = PlainClient()
        for line in done.stdout.splitlines():
            plain.read(json.loads(line))
        assert plain.words == ["running", "completed"]
        assert plain.seen[-1]["trigger"] == "cli"

    def test_bad_input_is_exit_2_with_every_problem(self, glassfolio: Run, folder: Path) -> None:
        (folder / "bad.csv").write_text(HOLDINGS + "MSFT,0,1.00,2021-03-15\nKO,x,1.00,2021-03-15\n", "utf-8")
        done = glassfolio("onboard", "bad.csv", "--name", "Bad", "--equity", "-5")
        assert done.returncode == 2
        codes = re.findall(r"\[(ERR_\w+)\]", done.stderr)
        assert codes == ["ERR_PORT_005", "ERR_POS_006", "ERR_POS_005"]
        assert "line 3" in done.stderr
        assert done.stdout == ""

    def test_a_file_that_is_not_there_is_exit_2(self, glassfolio: Run) -> None:
        done = glassfolio("onboard", "absent.csv", "--name", "X", "--equity", "5")
        assert done.returncode == 2
        assert "absent.csv" in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_dry_run_takes_no_name_a_start_does_and_watch_carries_it_on(self, glassfolio: Run) -> None:
        checked = glassfolio(*ONBOARD, "--name", "Later", "--dry-run")
        assert checked.returncode == 0
        assert checked.stdout == "The file is fine: 1 lots. Nothing was stored.\n"
        started = glassfolio(*ONBOARD, "--name", "Later", "--no-watch")
        assert started.returncode == 0
        (line,) = started.stdout.splitlines()
        taken = glassfolio(*ONBOARD, "--name", "Later", "--no-watch")
        assert taken.returncode == 2
        assert "account name" in taken.stderr
        carried = glassfolio("watch", line.removeprefix("portfolio "), "--json")
        assert carried.returncode == 0
        first, last = (json.loads(carried.stdout.splitlines()[i]) for i in (0, -1))
        assert (first["state"], last["status"]) == ("queued", "completed")

    def test_a_run_that_fails_is_exit_1(self, glassfolio: Run, folder: Path) -> None:
        (folder / "unknown.csv").write_text(HOLDINGS.replace("AAPL", "ZZZQ"), "utf-8")
        done = glassfolio("onboard", "unknown.csv", "--name", "Unknown", "--equity", "5000")
        assert done.returncode == 1
        assert "no price was found" in done.stdout

    def test_watching_what_is_not_there_is_exit_2(self, glassfolio: Run) -> None:
        done = glassfolio("watch", "4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a10")
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


class TestOperator:
    def test_doctor_finds_everything_in_order(self, glassfolio: Run) -> None:
        assert glassfolio("migrate").stdout == "The database is up to date.\n"
        done = glassfolio("doctor")
        assert done.returncode == 0, done.stdout
        assert done.stdout.splitlines()[-1] == "Everything is in order."
        assert "FAIL" not in done.stdout

    def test_a_new_folder_needs_nothing_done(self, glassfolio: Run, tmp_path: Path) -> None:
        done = glassfolio("doctor", DATA_DIR=str(tmp_path / "new"))
        assert done.returncode == 0
        assert "made by the next start" in done.stdout

    @pytest.mark.usefixtures("postgres")
    def test_a_server_that_was_not_migrated_is_told_what_to_do(self, glassfolio: Run) -> None:
        """The server's own database has none of our tables, and nothing here makes any."""
        url = os.environ[SERVER]
        examined = glassfolio("doctor", DATABASE_URL=url)
        assert examined.returncode == 1
        assert "Run: glassfolio migrate" in examined.stdout
        refused = glassfolio(*ONBOARD, "--name", "X", DATABASE_URL=url)
        assert refused.returncode == 2
        assert "glassfolio migrate" in refused.stderr
        assert "Traceback" not in examined.stderr + refused.stderr

    def test_a_database_that_is_away_is_told_without_its_password(self, glassfolio: Run) -> None:
        done = glassfolio("doctor", DATABASE_URL="postgresql://u:s3cret@127.0.0.1:1/x")
        assert done.returncode == 1
        assert "FAIL database" in done.stdout
        assert "s3cret" not in done.stdout + done.stderr

    @pytest.mark.parametrize("ttl", ["0s", "2h", "x", "-5s", "", "1d", "3601"])
    def test_a_lifetime_that_cannot_be_is_refused(self, tmp_path: Path, ttl: str) -> None:
        with pytest.raises(SettingsError, match="--ttl"):
            token(make_settings(tmp_path), "alice", ttl)

    @pytest.mark.parametrize("subject", ["", "a b", "é", "x" * 256])
    def test_a_subject_that_cannot_be_is_refused(self, tmp_path: Path, subject: str) -> None:
        settings = make_settings(tmp_path)
        with pytest.raises(SettingsError, match="--subject"):
            token(settings, subject, "60s")
        with pytest.raises(SettingsError, match="--subject"):
            link(settings, subject)

    def test_under_an_outside_issuer_nothing_is_signed_here(self, glassfolio: Run, tmp_path: Path) -> None:
        outside = {
            "DATA_DIR": str(tmp_path / "outside"),
            "AUTH": "jwt",
            "JWT_ISSUER": "https://clerk.example.com",
            "JWKS_URL": "https://clerk.example.com/jwks",
            "JWT_PARTIES": "https://app.example.com",
        }
        for arguments in (("token",), ("token", "--link")):
            done = glassfolio(*arguments, **outside)
            assert done.returncode == 2
            assert "outside issuer" in done.stderr
        assert not (tmp_path / "outside" / "issuer.pem").exists()

    @pytest.mark.parametrize("settings", [{}, {"PUBLIC_URL": "http://127.0.0.1:8000"}])
    def test_a_service_does_not_listen_for_others_without_https(
        self, glassfolio: Run, settings: dict[str, str]
    ) -> None:
        for host in ("0.0.0.0", "::", "192.0.2.1"):
            done = glassfolio("serve", "--host", host, "--port", "0", **settings)
            assert done.returncode == 2
            assert "GLASSFOLIO_PUBLIC_URL=https://" in done.stderr
            assert done.stdout == ""

    def test_a_token_is_one_line(self, glassfolio: Run) -> None:
        done = glassfolio("token", "--subject", "alice", "--ttl", "10m")
        assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", done.stdout)


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """A service as a process of its own; it prints its address when it is ready."""
    server = subprocess.Popen(
        [sys.executable, "-m", "glassfolio", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        env=environment(folder),
    )
    assert server.stdout is not None
    line = server.stdout.readline()
    assert line.startswith("glassfolio is listening on http://127.0.0.1:")
    way_in = server.stdout.readline()
    assert way_in.startswith(f"Sign in, once and within ten minutes: {line.split()[-1]}/sign-in/")
    (folder / "way_in").write_text(way_in.split()[-1], "ascii")
    yield line.split()[-1]
    server.terminate()
    server.wait(30)
    server.stdout.close()


class TestServer:
    def test_a_token_of_the_command_line_opens_it_and_watch_follows_it_from_outside(
        self, address: str, glassfolio: Run, folder: Path
    ) -> None:
        bearer = glassfolio("token", "--ttl", "10m").stdout.strip()
        (folder / "token").write_text(bearer, "ascii")
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {bearer}"}) as client:
            portfolio_id = opened(client, HOLDINGS)["portfolio_id"]
            wait_for(lambda: client.get("/readyz").status_code == 200)
            ended(client, portfolio_id)
        done = glassfolio("watch", portfolio_id, "--url", address, "--json", TOKEN_FILE=str(folder / "token"))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1])["status"] == "completed"

    def test_the_printed_link_and_one_made_later_let_a_browser_in_once(
        self, address: str, glassfolio: Run, folder: Path
    ) -> None:
        made = glassfolio("token", "--link", "--subject", "zoe", PUBLIC_URL=address).stdout.strip()
        for link_, subject in (((folder / "way_in").read_text("ascii"), "local"), (made, "zoe")):
            with httpx.Client(follow_redirects=True) as browser:
                shown = browser.get(link_)
                assert "Portfolios" in shown.text
                assert subject in shown.text
            assert httpx.get(link_).status_code == 410

    def test_a_service_that_refuses_the_token_is_exit_2(
        self, address: str, glassfolio: Run, folder: Path
    ) -> None:
        (folder / "old").write_text("a.b.c", "ascii")
        portfolio_id = "4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a10"
        refused = glassfolio("watch", portfolio_id, "--url", address, TOKEN_FILE=str(folder / "old"))
        assert refused.returncode == 2
        assert "refused the token" in refused.stderr
        without = glassfolio("watch", portfolio_id, "--url", address)
        assert without.returncode == 2
        assert "GLASSFOLIO_TOKEN_FILE" in without.stderr

    def test_a_port_that_is_taken_is_told(self, address: str, glassfolio: Run) -> None:
        done = glassfolio("serve", "--port", address.rsplit(":", 1)[1])
        assert done.returncode == 2
        assert "Cannot listen" in done.stderr
        assert "Traceback" not in done.stderr
