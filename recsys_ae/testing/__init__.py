"""Contract tests of models, for packages that add a model.

A package runs them with pytest by a subclass that names hyper-parameters with which a fit takes about a second::

    from recsys_ae.testing import ModelContract

    class TestMyModel(ModelContract):
        spec = MySpec(latent=8, epochs=40, batch_size=16, lr=0.01)
"""

import pytest

# Failures then show the values that were compared.
pytest.register_assert_rewrite(
    "recsys_ae.testing.learning", "recsys_ae.testing.serving", "recsys_ae.testing.saving", "recsys_ae.testing.resuming"
)

from recsys_ae.testing.contract import ModelContract as ModelContract  # noqa: E402

__all__ = ["ModelContract"]
