"""The server: a process that keeps the models of recent questions loaded, and answers."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from pydantic import JsonValue

from api_schemas.errors import Fault, InvalidRequest
from api_schemas.model_tasks import Export, PredictFile, PredictRows
from api_schemas.predictions import Prediction, PredictionRequest
from training.data.prepare_text import TextPreparation
from training.data.reading import UnreadableTable
from training.data.undo import Cell
from training.export import NotExported, export
from training.model_file import load_model
from training.predict import Predictor, reads_text
from training.predict_file import predict_file
from training.predict_text import Writer, reads_columns
from worker.messages import Question, Written
from worker.process import limit_memory

KEPT_MODELS = 8
"""How many models stay loaded; a further one takes the place of that which was asked least recently."""

_TOO_LARGE = Fault(pointer="", code="too_large", message="this does not fit into memory; ask for fewer rows at a time")


def serve(line: Connection) -> None:
    """Answer one question after another: with a Prediction, with Written, or with the faults of the question."""
    recent: OrderedDict[str, Predictor | Writer] = OrderedDict()
    while True:
        question: Question = line.recv()
        torch.set_num_threads(question.threads)
        limit_memory(question.memory_bytes)
        try:
            line.send(_answer(question, recent))
        except InvalidRequest as error:
            line.send(error.faults)
        except UnreadableTable as error:
            line.send([error.fault])
        except NotExported as error:
            line.send([Fault(pointer="query:format", code="not_exported", message=str(error))])
        except MemoryError:
            line.send([_TOO_LARGE])
        except Exception:
            logging.getLogger(__name__).exception("question_failed")
            raise


def _answer(question: Question, recent: OrderedDict[str, Predictor | Writer]) -> Prediction | Written:
    match question.asked:
        case Export(format=format_):
            export(question.model, format_, question.output)
            return Written(question.output)
        case PredictRows(request=request):
            model = _loaded(question, recent)
            if isinstance(model, Writer):
                return _continuation(question.job_id, model, request)
            return _prediction(question.job_id, model, request)
        case PredictFile(format=format_, output=output):
            if question.file is None:
                raise ValueError("a question about a file comes with it")
            model = _loaded(question, recent)
            if isinstance(model, Writer):
                raise reads_text("/file")
            predict_file(model, question.file, format_, question.output, output)
            return Written(question.output)


def _loaded(question: Question, recent: OrderedDict[str, Predictor | Writer]) -> Predictor | Writer:
    digest = question.model_sha256
    if digest not in recent:
        stored = load_model(Path(question.model))
        reads_text = isinstance(stored.preparation, TextPreparation)
        recent[digest] = Writer(stored) if reads_text else Predictor(stored)
    recent.move_to_end(digest)
    while len(recent) > KEPT_MODELS:
        recent.popitem(last=False)
    return recent[digest]


def _continuation(job_id: str, writer: Writer, request: PredictionRequest) -> Prediction:
    if request.prompt is None:
        raise reads_text("/rows" if request.rows else "/columns")
    text = writer.write(request.prompt, request.length, request.temperature, request.seed)
    return Prediction(job=job_id, target=None, predictions=[text])


def _prediction(job_id: str, predictor: Predictor, request: PredictionRequest) -> Prediction:
    if request.prompt is not None:
        raise reads_columns("/prompt")
    try:
        said = predictor.predict(request.by_column())
    except InvalidRequest as error:
        raise InvalidRequest.of([_at_row(fault) if request.rows else fault for fault in error.faults]) from error
    shares = list(said.probabilities.values())
    return Prediction(
        job=job_id,
        target=predictor.preparation.description.target,
        classes=predictor.classes,
        predictions=said.predictions,
        probabilities=[list(row) for row in zip(*shares, strict=True)] if shares else None,
        codes=[[*code] for code in said.codes] or None,
        reconstructions=_by_row(said.reconstructions) or None,
    )


def _by_row(columns: Mapping[str, Sequence[Cell]]) -> list[dict[str, JsonValue]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _at_row(fault: Fault) -> Fault:
    """The same fault where the rows were given one by one: `/columns/age/3` is `/rows/3/age`."""
    _, _, *place = fault.pointer.split("/")
    if len(place) == 2:
        column, row = place
        return fault.model_copy(update={"pointer": f"/rows/{row}/{column}"})
    return fault.model_copy(update={"pointer": "/rows"})
