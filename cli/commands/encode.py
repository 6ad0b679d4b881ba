"""``recsys-ae encode DIR``: vectors of rows of features."""

from pathlib import Path
from typing import Any

from .. import feature_source, options, table_writer
from ..display import Display
from ..framework import Option, Positional, as_command
from ..param_types import FILE
from ..saved import sizes_of

PARAMS = [
    Positional("folder", metavar="DIR", type=FILE, summary="Folder of a saved autoencoder."),
    *options.features(fitted=True),
    Option(
        ["--out"], type=FILE, required=True, metavar="FILE", section=options.RUN,
        help="Output file of the vectors (.parquet, .csv or .jsonl); - is standard output (CSV).",
    ),
    options.overwrite("file"),
    options.safe_cells(),
    options.device(),
]  # fmt: skip


@as_command("encode", PARAMS)
def command(folder: Path, out: Path, overwrite: bool, device: str, **settings: Any) -> None:
    """Write the vector of each row of features.

    The autoencoder in DIR scales and encodes the rows as in its fit. The table has the columns item, code 0, code 1,
    ...
    """
    from recsys_ae.features.encoder import FeatureEncoder  # noqa: PLC0415

    table_writer.refuse(out, overwrite=overwrite)
    model = FeatureEncoder.load(folder, device=device)
    features = feature_source.read(settings, [str(name) for name in model.columns], sizes_of(model))
    vectors = model.encode(features)
    with table_writer.writer(out, overwrite=overwrite, safe_cells=settings["safe_cells"]) as write:
        write(vectors.to_frame())
    feature_source.say(vectors.remarks)
    if out != table_writer.STANDARD_OUTPUT:
        Display().line(f"{len(vectors):,} vectors of {vectors.width:,} dimensions in {out}")
