"""ALS of `implicit` on the same split, as the yardstick of accuracy and speed; prints one line of JSON."""

import argparse
import json
import time

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix

from recsys_ae import evaluate, load_dataset, split_users
from recsys_ae.datasets.filters import MinInteractions, MinRating, apply

FACTORS, REGULARISATION, ALPHA, ITERATIONS = 256, 50.0, 5.0, 10


class FoldIn:
    """Ranks for histories that were not in training: each row's factors are solved in closed form."""

    def __init__(self, model: AlternatingLeastSquares) -> None:
        self.model = model

    def recommend(
        self, histories: csr_matrix, k: int = 10, *, exclude_seen: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the best items of each row and their scores."""
        users = np.arange(histories.shape[0])
        return self.model.recommend(
            users, histories, N=k, filter_already_liked_items=exclude_seen, recalculate_user=True
        )


def main() -> None:
    """Fit, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir")
    parser.add_argument("--on", choices=["valid", "test"], default="test")
    for name, value in (("factors", FACTORS), ("regularisation", REGULARISATION), ("alpha", ALPHA)):
        parser.add_argument(f"--{name}", type=type(value), default=value)
    arguments = parser.parse_args()
    data = load_dataset("ml-1m", data_dir=arguments.data_dir).interactions
    data = apply(data, MinRating(4), MinInteractions(user=5))
    split = split_users(data, n_valid=603, n_test=603, seed=98765, recipe="liang2018")
    model = AlternatingLeastSquares(
        factors=arguments.factors,
        regularization=arguments.regularisation,
        alpha=arguments.alpha,
        iterations=ITERATIONS,
        random_state=0,
    )
    started = time.perf_counter()
    model.fit(split.train.matrix, show_progress=False)
    seconds = time.perf_counter() - started
    holdout = split.test if arguments.on == "test" else split.valid
    report = evaluate(FoldIn(model), holdout).as_dict()
    row = {"model": f"implicit ALS-{arguments.factors}", "report": report, "fit seconds": seconds, "epochs": ITERATIONS}
    print(json.dumps({**row, "seconds per epoch": seconds / ITERATIONS}))


if __name__ == "__main__":
    main()
