"""Contract tests of refits: the epoch that was kept, schedules, and equality to the bit."""

from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.recommender.refit_plan import Plan
from recsys_ae.recommender.refitting import refit
from recsys_ae.testing import blocks
from recsys_ae.testing.fits import Fits, fit_to
from recsys_ae.testing.resuming import assert_same_weights

SEED = 3


class Refitting(Fits):
    """A refit to the interactions of the fit gives the weights of the fit, with and without validation users."""

    def test_a_refit_ends_with_the_weights_of_the_kept_epoch(self) -> None:
        """Without validation users; early stopping, averages and schedules are those of the fit."""
        spec = self.with_values(epochs=9, batch_size=16, ema_decay=0.9, lr_schedule="cosine", patience=2)
        model = fit_to(spec, self.data(), valid=self.held_out(), run=Run(seed=SEED, device="cpu"))
        again = self._refitted(model)
        assert_same_weights(again, model)
        if model.history.kept_epoch is not None:
            assert len(again.history) == model.history.kept_epoch
        assert again.metadata["refit"]["valid"] == Plan.of(model).valid

    def test_a_refit_of_a_fit_without_validation_users_is_equal(self) -> None:
        """All epochs are trained again."""
        spec = self.with_values(epochs=3, batch_size=16)
        model = fit_to(spec, self.data(), run=Run(seed=SEED, device="cpu"))
        again = self._refitted(model)
        assert_same_weights(again, model)
        assert len(again.history) == len(model.history)
        assert again.spec == model.spec

    def _refitted(self, model: Recommender) -> Recommender:
        features = blocks.needed_features(self.spec, self.data())
        return refit(model, self.data(), item_features=features, run=Run(seed=SEED, device="cpu"))
