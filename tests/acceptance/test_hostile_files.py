"""Files that mean harm: each is refused with the reason, and gateway and worker go on as before."""

import gzip
import io

import httpx
import polars as pl
import pytest
import zstandard

from embedded.supervisor import Supervisor
from storage.settings import Settings
from tests.servers import wait_until

ROWS, COLUMNS, BYTES = 5_000, 200, 4 << 20


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """Anneal under an operator who allows little."""
    limits = {
        "dataset_rows": ROWS,
        "dataset_columns": COLUMNS,
        "dataset_bytes": BYTES,
        "reader_memory_bytes": 700_000_000,
    }
    settings = Settings(home=tmp_path_factory.mktemp("strict"), port=0, workers=1, threads=1, **limits)
    with Supervisor(settings) as supervisor:
        supervisor.start()
        with httpx.Client(base_url=supervisor.url, timeout=120, trust_env=False) as client:
            warm = client.post("/v1/datasets", files={"file": ("warm.csv", b"a,b\n1,2\n")}).json()
            wait_until(lambda: client.get(f"/v1/datasets/{warm['id']}").json()["terminal"], 120, "a warm worker")
            yield client


def parquet(frame, **options):
    out = io.BytesIO()
    frame.write_parquet(out, **options)
    return out.getvalue()


def memory_hog():
    """A few thousand bytes that are 800 MB once each row has its own text."""
    return parquet(pl.DataFrame({"a": ["x" * (1 << 20) + " "] * 800}))


LINE = b"1,2\n"
FILES = {
    "a gzip bomb": ("bomb.csv.gz", lambda: gzip.compress(b"a,b\n" + bytes(64 << 20)), "too_large"),
    "a Zstandard bomb": ("bomb.csv.zst", lambda: zstandard.compress(b"a,b\n" + bytes(64 << 20)), "too_large"),
    "a bomb of rows": ("rows.csv.gz", lambda: gzip.compress(b"a,b\n" + LINE * (ROWS + 1)), "too_many_rows"),
    "a gzip that is cut short": ("cut.csv.gz", lambda: gzip.compress(b"a,b\n" + LINE * 999)[:-20], "truncated"),
    "a gzip in a gzip": ("twice.csv.gz", lambda: gzip.compress(gzip.compress(b"a,b\n1,2\n")), "not_a_table"),
    "100,000 columns": ("wide.csv", lambda: b",".join(b"%d" % place for place in range(100_000)), "too_many_columns"),
    "a million columns": ("wide.csv", lambda: b",".join(b"%d" % place for place in range(1_000_000)), "not_a_table"),
    "a first line without an end": ("long.csv", lambda: b"a" * (2 << 20), "not_a_table"),
    "a header without rows": ("header.csv", lambda: b"a,b\n", "no_rows"),
    "two encodings": ("mixed.csv", lambda: "a,b\né,1\n".encode() + "é,2\n".encode("latin-1"), "not_utf8"),
    "a quote that is never closed": ("quote.csv", lambda: b'a,b\n1,"' + LINE * 999, "not_a_table"),
    "absurd row groups": (
        "groups.parquet",
        lambda: parquet(pl.DataFrame({"a": range(ROWS + 1)}), row_group_size=1),
        "too_many_rows",
    ),
    "a Parquet of nothing but columns": (
        "wide.parquet",
        lambda: parquet(pl.DataFrame({str(place): [1] for place in range(COLUMNS + 1)})),
        "too_many_columns",
    ),
    "a Parquet with a broken footer": (
        "broken.parquet",
        lambda: parquet(pl.DataFrame({"a": range(99)}))[:-30] + b"\xff" * 22 + b"\xff\xff\xff\x7fPAR1",
        "not_a_table",
    ),
    "text that takes all memory": ("hog.parquet", memory_hog, "too_much_memory"),
    "JSON 100,000 deep": ("deep.jsonl", lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "not_a_table"),
}


@pytest.mark.parametrize("what", FILES)
def test_a_hostile_file_is_refused_with_the_reason_and_harms_nobody(strict, what):
    name, content, code = FILES[what]
    workers = [worker["id"] for worker in strict.get("/v1/workers").json()["data"]]
    answer = strict.post("/v1/datasets", files={"file": (name, content())})
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/file", code), fault
    healthy = strict.post("/v1/datasets", files={"file": ("a.csv", b"a,b\n1,2\n3,4\n")}).json()
    assert (healthy["state"], healthy["rows"], healthy["progress"]) == ("ready", 2, None)
    assert [worker["id"] for worker in strict.get("/v1/workers").json()["data"]] == workers
