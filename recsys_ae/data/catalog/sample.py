"""Sample data set: synthetic ratings in the shape of MovieLens, generated on loading."""

from recsys_ae.data.dataset_info import CatalogEntry, Info
from recsys_ae.data.synthetic.generate import synthesize

INFO = Info(
    "sample", "Synthetic ratings in the shape of MovieLens", 99_983, 2_000, 600, 0, "generated; no conditions", "", ()
)
DATASETS = (CatalogEntry(INFO, lambda _place, _options: synthesize()),)
