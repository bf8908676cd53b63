"""The part of a script that loads, splits and prepares the data."""

from __future__ import annotations

from api_schemas.catalog.call import Call, Name
from api_schemas.catalog.datasets import BundledEntry, NamedDatasetEntry
from api_schemas.datasets import Column, Dataset, Format
from api_schemas.encoding import encoding_of
from api_schemas.splits import file_part, named_parts
from script.arguments import write_arguments
from script.page import Page
from script.subject import Subject
from script.text import text
from script.text_data import write_text

_PLAIN = "training.data.plain"
_EXAMPLES = "training.data.examples"
_SEPARATORS: dict[Format, str] = {"csv": ",;\t", "tsv": "\t"}
"""What may stand between two fields of a text file."""
_READERS: dict[Format, str] = {
    **dict.fromkeys(("csv", "tsv"), "read_text"),
    "parquet": "read_parquet",
    "feather": "read_feather",
    "jsonl": "read_json_lines",
}

_AS_FLOAT = {True: ".astype(float)", False: ""}
"""What makes codes numbers to compute with."""


def write_data(page: Page, subject: Subject) -> None:
    """Write from the file or generator to the tensors `x_train`, `y_train` and those of the other parts."""
    if subject.text:
        write_text(page, subject)
        return
    page.heading("Data")
    if subject.named:
        _load_named(page, subject.named, learns_target=subject.learns_target)
    else:
        _load_upload(page, subject)
    _split(page, subject)
    page.heading("Preparation, fitted on the training rows alone")
    if not subject.named:
        _fill_in(page, subject)
    _prepare(page, subject)
    _make_tensors(page, subject)


def _load_named(page: Page, entry: NamedDatasetEntry, *, learns_target: bool) -> None:
    call = Call(entry.target or "", (), {"return_X_y": True}) if isinstance(entry, BundledEntry) else entry.call()
    target = "target" if learns_target else "_"
    page.code(page.line(f"features, {target} = ", call, f"  # ({entry.rows}, {entry.features}), ({entry.rows},)"))


def _load_upload(page: Page, subject: Subject) -> None:
    dataset = subject.dataset
    if dataset is None:
        raise TypeError("no upload to load")
    write_arguments(page, dataset)
    page.code("\n".join([*_read(page, dataset), *_take_columns(page, subject)]))


def _read(page: Page, dataset: Dataset) -> list[str]:
    if dataset.format in _READERS:
        return _read_tables(page, dataset)
    found = Call(f"{_EXAMPLES}.examples", (Name("arrays"), dataset.target))
    return [_read_arrays(page, dataset), page.line("columns = ", Call(f"{_EXAMPLES}.columns_of", (found,)))]


def _read_tables(page: Page, dataset: Dataset) -> list[str]:
    separators = _SEPARATORS.get(dataset.format)
    several = len(dataset.files) > 1
    path = Name("path" if several else "sys.argv[1]")
    call = Call(f"{_PLAIN}.{_READERS[dataset.format]}", (path, *([separators] if separators else [])))
    if not several:
        return [page.line("columns, decimal_comma = " if separators else "columns = ", call)]
    parts = [part for file in dataset.files if (part := file_part(file.name))]
    tables = Name("[columns for columns, _ in tables]" if separators else "tables")
    lines = [page.line("tables = [", call, " for path in sys.argv[1:]]")]
    lines.append(page.line("columns = ", Call(f"{_PLAIN}.joined", (tables, parts))))
    return [*lines, "decimal_comma = tables[0][1]"] if separators else lines


def _read_arrays(page: Page, dataset: Dataset) -> str:
    path = Name("sys.argv[1]")
    if dataset.format == "idx":
        read = Call("training.data.array_files.read_idx_files", (Name("sys.argv[1:]"),))
        return page.line("arrays = ", Call(f"{_EXAMPLES}.name_idx", (read,)))
    if dataset.format == "images":
        channels, height, width = next(column.stats.shape for column in dataset.columns if column.type == "array")
        images = (path, "L" if channels == 1 else "RGB", height, width)
        return page.line("arrays = ", Call("training.data.image_files.read_images", images))
    return page.line("arrays = ", Call(f"training.data.array_files.read_{dataset.format}", (path,)))


def _take_columns(page: Page, subject: Subject) -> list[str]:
    comma = (Name("decimal_comma"),) if subject.dataset and subject.dataset.format in _SEPARATORS else ()

    def numbers(column: Column) -> Call:
        cells = Name(f"columns[{text(column.name)}]")
        if column.type == "array":
            return Call(f"{_EXAMPLES}.flat_numbers", (cells,))
        if column.stats.dates:
            return Call(f"{_PLAIN}.as_days", (cells,))
        return Call(f"{_PLAIN}.as_numbers", (cells, *comma))

    def codes(column: Column) -> Call:
        cells = Name(f"columns[{text(column.name)}]")
        return Call(f"{_PLAIN}.as_codes", (cells, column.stats.categories, *comma))

    raw = {column.name: (codes if column.type == "category" else numbers)(column) for column in subject.features}
    lines = [page.line("raw = ", raw)]
    if subject.learns_target:
        lines.append(page.line("target = ", (codes if subject.classify else numbers)(subject.target)))
    column, split = _split_column(subject), subject.spec.split
    if column and split.method == "column":
        parts = named_parts(column.stats.categories, split.parts)
        lines.append(page.line("parts = ", Call("numpy.take", (parts, codes(column)))))
    elif column:
        cells = Call("numpy.array", (Name(f"columns[{text(column.name)}]"),))
        values = {"category": codes(column), "numeric": numbers(column)}.get(column.type, cells)
        lines.append(page.line("groups = " if split.method == "grouped" else "times = ", values))
    return lines


def _split_column(subject: Subject) -> Column | None:
    """The column that the split goes by."""
    columns = subject.dataset.columns if subject.dataset else []
    return next((column for column in columns if column.name == subject.spec.split.column), None)


def _split(page: Page, subject: Subject) -> None:
    page.code(page.line("rows = ", _split_call(subject)))


def _split_call(subject: Subject) -> Call:
    plan, split = subject.plan, subject.spec.split
    room, seed = "training.data.split", {"seed": split.seed}
    sizes = {"validation": plan.validation_rows, "test": plan.test_rows}
    strata = {"strata": Name("target")}
    if split.method == "grouped":
        return Call(f"{room}.split_by_group", (Name("groups"), split.validation, split.test), seed)
    if split.method == "column":
        given = {"validation": plan.validation_rows} | seed | (strata if subject.classify else {})
        return Call(f"{room}.split_by_part", (Name("parts"),), given)
    if split.method == "time":
        times = {"times": Name("times")} if split.column else {}
        return Call(f"{room}.split_by_time", (_count(subject),), sizes | times)
    by_class = strata if split.method == "stratified" else {}
    return Call(f"{room}.split_rows", (_count(subject),), sizes | seed | by_class)


def _count(subject: Subject) -> Name:
    """How many rows there are."""
    if subject.learns_target:
        return Name("len(target)")
    return Name("len(features)" if subject.named else f"len(raw[{text(subject.features[0].name)}])")


def _fill_in(page: Page, subject: Subject) -> None:
    filled = [column for column in subject.features if column.missing != "error"]
    noted = {column.name: _is_missing(column) for column in filled if column.missing == "indicator"}
    lines = [page.line("missing = ", noted)] if noted else []
    for column in filled:
        place = Name(f"raw[{text(column.name)}]")
        if column.type == "category":
            call = Call(f"{_PLAIN}.fill_codes", (place, Name("rows.train")))
        else:
            how = "mean" if column.missing == "indicator" else column.missing
            call = Call(f"{_PLAIN}.fill_numbers", (place, Name("rows.train"), how))
        lines.append(page.line(f"{place.name} = ", call))
    if lines:
        page.code("\n".join(lines))


def _is_missing(column: Column) -> Call:
    values = Name(f"raw[{text(column.name)}]")
    return Call("numpy.less", (values, 0)) if column.type == "category" else Call("numpy.isnan", (values,))


def _prepare(page: Page, subject: Subject) -> None:
    features = [] if subject.named else subject.features
    rescaled = [column for column in features if _is_rescaled(subject, column)]
    all_numbers = rescaled == features and all(column.missing != "indicator" for column in features)
    whole = "features" if all_numbers else "numbers"
    lines: list[str] = []
    if rescaled:
        columns = [Name(f"raw[{text(column.name)}]{_AS_FLOAT[column.type == 'category']}") for column in rescaled]
        lines.append(page.line(f"{whole} = ", Call("numpy.column_stack", (columns,))))
    entry = subject.spec.preprocessing.numeric
    if entry.target and (subject.named or rescaled):
        fit = entry.fit(Name(f"{whole}[rows.train]"), subject.shape.image)
        lines.append(page.line(f"{whole} = ", fit, f".transform({whole})"))
    if not all_numbers:
        lines.append(page.line("features = ", Call("numpy.column_stack", (_side_by_side(subject),))))
    if lines:
        page.code("\n".join(lines))


def _is_rescaled(subject: Subject, column: Column) -> bool:
    return column.type != "category" or _encoding(subject, column) == "ordinal"


def _encoding(subject: Subject, column: Column) -> str:
    return encoding_of(column, subject.spec.preprocessing).name


def _side_by_side(subject: Subject) -> list[Name | Call]:
    """The inputs that each column becomes, in the file's order."""
    found: list[Name | Call] = []
    place = 0
    for column in subject.features:
        codes = Name(f"raw[{text(column.name)}]")
        if _is_rescaled(subject, column):
            end = place + (1 if column.type == "category" else column.width)
            found.append(Name(f"numbers[:, {place}:{end}]" if end > place + 1 else f"numbers[:, {place}]"))
            place = end
        elif _encoding(subject, column) == "onehot":
            found.append(Call(f"{_PLAIN}.one_hot", (codes, len(column.stats.categories))))
        else:
            found.append(codes)
        if column.missing == "indicator":
            found.append(Name(f"missing[{text(column.name)}]"))
    return found


def _make_tensors(page: Page, subject: Subject) -> None:
    page.imports.module("torch")
    device = ", device=device" if subject.on_gpu else ""
    made = [f"x = torch.tensor(features, dtype={subject.dtype}{device})"]
    parts = ["train"] + [name for name in ("validation", "test") if getattr(subject.plan, f"{name}_rows")]
    if not subject.learns_target:
        both = [f"x_{part} = y_{part} = x[rows.{part}]" for part in parts]
        page.code("\n".join([*made, *both]))
        return
    learned, kind = "target", "torch.int64" if subject.classify else subject.dtype
    entry = subject.spec.preprocessing.target
    if entry and subject.scales_target:
        page.code(page.line("target_scaling = ", entry.fit(Name("target[rows.train, None]"))))
        learned = "target_scaling.transform(target[:, None])[:, 0]"
    made.append(f"y = torch.tensor({learned}, dtype={kind}{device})")
    page.code("\n".join([*made, *(f"x_{part}, y_{part} = x[rows.{part}], y[rows.{part}]" for part in parts)]))
