"""A script reads uploaded texts as the run did."""

import pytest

from api_schemas.datasets import DatasetFile
from script.program import write_script
from tests.script.runs import job_of, played, tidy, trained
from tests.script.test_uploads import dataset_of
from training.data.text_files import inspect_text

TEXT = (
    "\ufeffÜber den Fluß\r\nführt ein Weg; er ist schmal € und lang.\n\n" + "Wer geht, kommt an.\t“Ja”, sagt er. " * 60
)
JOBS = {
    "bytes": {"preprocessing": {"text": {"name": "bytes"}}},
    "characters": {"split": {"test": 0.1}, "metrics": [{"name": "f1_macro"}]},
    "byte pairs": {"preprocessing": {"text": {"name": "bpe", "vocab_size": 300}}, "metrics": []},
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """By tokenizer: what the run says and what the script prints."""
    folder = tmp_path_factory.mktemp("texts")
    paths = [folder / "weg.txt", folder / "heim weg.txt"]
    for path, text in zip(paths, (TEXT, TEXT[::-1]), strict=True):
        path.write_bytes(text.encode())
    found = inspect_text({path.name: path for path in paths})
    files = [DatasetFile(name=path.name, sha256="", bytes=path.stat().st_size) for path in paths]
    dataset, expected, scripts = dataset_of(found, "text").model_copy(update={"files": files}), {}, []
    for name, asked in JOBS.items():
        model = {"name": "gpt", "context": 8, "width": 8, "heads": 2, "dropout": 0.1}
        spec = {"dataset": {"id": "ds_1"}, "model": model, "training": {"epochs": 2, "batch_size": 16}, **asked}
        job, path = job_of(spec, dataset), folder / f"{name.replace(' ', '_')}.py"
        path.write_text(write_script(job, dataset))
        scripts.append([str(path), *map(str, paths)])
        expected[name] = trained(job, folder, dataset, found.arrays)
    tidy(path for path, *_ in scripts)
    return expected, dict(zip(expected, played(scripts, folder), strict=True))


@pytest.mark.parametrize("name", JOBS)
def test_a_script_reads_its_texts_and_prints_the_numbers_of_the_run(told, name):
    expected, printed = told
    assert printed[name] == expected[name]
    assert expected[name][-1].startswith("weights_sha256 ")
