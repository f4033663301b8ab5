"""Take the network of a delivered model out, for other programs: a folder of Hugging Face, or ONNX."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from automl_gpt.cards.errors import UserError
from automl_gpt.tools.base import Context, tool
from automl_gpt.tools.corpus.examples import Examples
from automl_gpt.tools.data.prepared import open_prepared
from automl_gpt.tools.deliver.bundle import load_bundle
from automl_gpt.tools.deliver.hugging_face import Origin, origin, write_readme, write_weights
from automl_gpt.tools.deliver.network import DeliveredNetwork, open_network
from automl_gpt.tools.deliver.onnx import check_onnx, write_onnx
from automl_gpt.tools.deliver.predict import model_folder
from automl_gpt.tools.journal.store import Journal

Form = Literal["hf", "onnx"]


@dataclass(frozen=True)
class Exported:
    """Where the network of a trial was written; `notes` say what of the delivered model it is not."""

    out: Path
    trial: int
    notes: tuple[str, ...]


def export_network(folder: Path, out: Path, form: Form, journal: Journal | None = None) -> Exported:
    """Write the network of a delivered model into a new folder, and a page that tells what it is.

    `folder` is that of the delivered model. The journal, where it knows the run, tells scores and licences. Raises
    UserError in one line: no network in the model, a folder that holds something, a task that ONNX is not supported
    for, packages that are missing.
    """
    _check_place(out)
    bundle = load_bundle(folder)
    network = open_network(bundle)
    if form == "onnx":
        check_onnx(network)
    told = _told(journal, network)
    fresh = out.absolute().with_name(f".{out.absolute().name}-{os.getpid()}")
    try:
        fresh.mkdir()
        _write(network, told, fresh, form, _rows(bundle.folder))
        if out.is_dir():
            out.rmdir()
        fresh.rename(out)
    except OSError as error:
        raise UserError(f"{out}: can't be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return Exported(out, network.member.trial, network.notes)


def _check_place(out: Path) -> None:
    """Raise UserError where a folder can't be made, or would be filled up further."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UserError(f"{out}: is no folder; name a new one with --out")
    if out.is_dir() and any(out.iterdir()):
        raise UserError(f"{out}: holds something already; name a new folder with --out")
    if not out.absolute().parent.is_dir():
        raise UserError(f"{out}: there is no folder {out.parent}; make it first")


def _write(network: DeliveredNetwork, told: Origin, folder: Path, form: Form, rows: Examples | None) -> None:
    if form == "hf":
        write_weights(network, folder)
        write_readme(network, told, folder, form, {})
        return
    write_readme(network, told, folder, form, asdict(write_onnx(network, folder, rows)))


def _rows(folder: Path) -> Examples | None:
    """Return the first validation rows of the run that the model stands in; None where they are not at hand."""
    data = folder.parent / "data"
    if not (data / "prepared.json").is_file() or not (data / "train.arrow").is_dir():
        return None
    prepared = open_prepared(data)
    return prepared.rows.x[prepared.out_of_fold()[:8]]


def _told(journal: Journal | None, network: DeliveredNetwork) -> Origin:
    """Return what the journal knows of the network; nothing where the folder came from elsewhere."""
    if journal is None:
        return Origin()
    try:
        state = journal.state(journal.find(network.manifest.run))
    except UserError:
        return Origin()
    return origin(state, network) if network.member.trial in state.trials else Origin()


# ---------------------------------------------------------------------------------------------------------------- tool


class ExportArguments(BaseModel):
    """What the tool `export` takes."""

    model: str = Field(description="a run, or the folder of a delivered model")
    out: str = Field(description="new folder to write")
    format: Form = Field(default="hf", description="hf: as Hugging Face's libraries read it; onnx: for ONNX runtimes")


class ModelExported(BaseModel):
    """Where the network is, of which trial it is, and what of the delivered model it is not."""

    out: str
    trial: int
    notes: tuple[str, ...]


@tool("export", ExportArguments, inspects=False)
def export(arguments: ExportArguments, context: Context) -> ModelExported:
    """Write the network of a delivered model as a Hugging Face folder or as ONNX, for use by other programs."""
    out = context.writable(arguments.out)
    done = export_network(model_folder(arguments.model, context), out, arguments.format, context.journal)
    return ModelExported(out=str(done.out), trial=done.trial, notes=done.notes)
