"""Dense yardstick: Mult-VAE and Mult-DAE as they are usually written in PyTorch.

It uses rows from ``toarray``, ``nn.Linear``, dense dropout, ``log_softmax`` over all items and ``torch.optim.Adam``,
always in fp32.
"""

import itertools

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.nn import functional


class DenseAutoencoder(nn.Module):
    """Autoencoder [items → hidden → code → hidden → items] with tanh; the code is Gaussian if ``variational``."""

    def __init__(self, n_items: int, hidden: tuple[int, ...], latent: int, *, variational: bool, dropout: float = 0.5):
        super().__init__()
        self.variational, self.latent, self.dropout = variational, latent, dropout
        down = [n_items, *hidden, latent * (2 if variational else 1)]
        up = [latent, *hidden[::-1], n_items]
        self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(down))
        self.decoder = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(up))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits, ``(n, n_items)``, and mean and log-variance of the code, ``(n, latent)``."""
        h = functional.dropout(functional.normalize(x), self.dropout, self.training)
        for i, layer in enumerate(self.encoder):
            h = layer(h)
            if i < len(self.encoder) - 1 or not self.variational:
                h = torch.tanh(h)
        mean, log_variance = h.chunk(2, dim=1) if self.variational else (h, torch.zeros_like(h))
        z = mean
        if self.variational and self.training:
            z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        for i, layer in enumerate(self.decoder):
            z = layer(z)
            if i < len(self.decoder) - 1:
                z = torch.tanh(z)
        return z, mean, log_variance


def multinomial(logits: Tensor, x: Tensor) -> Tensor:
    """Return −Σ_i x_i log softmax(logits)_i, the mean over rows."""
    return -torch.mean(torch.sum(functional.log_softmax(logits, 1) * x, -1))


class Yardstick:
    """Training of a dense autoencoder on the rows of a matrix."""

    def __init__(
        self,
        matrix: csr_matrix,
        hidden: tuple[int, ...],
        latent: int,
        *,
        variational: bool,
        batch_size: int,
        device: torch.device,
        anneal_cap: float = 0.2,
        anneal_updates: int = 200_000,
    ) -> None:
        self.matrix, self.batch_size, self.device = matrix, batch_size, device
        self.anneal_cap, self.anneal_updates = anneal_cap, anneal_updates
        self.model = DenseAutoencoder(matrix.shape[1], hidden, latent, variational=variational).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.updates = 0

    def epoch(self) -> float:
        """Train for one pass over the rows in random order; return the mean loss of the batches."""
        self.model.train()
        order = np.random.permutation(self.matrix.shape[0])  # noqa: NPY002  as it is usually written
        losses = [
            self.update(order[start : start + self.batch_size]) for start in range(0, len(order), self.batch_size)
        ]
        return sum(losses) / len(losses)

    def update(self, rows: np.ndarray) -> float:
        """Make one gradient step on these rows; return the loss."""
        x = torch.FloatTensor(self.matrix[rows].toarray()).to(self.device)
        self.optimizer.zero_grad()
        logits, mean, log_variance = self.model(x)
        loss = multinomial(logits, x)
        if self.model.variational:
            beta = min(self.anneal_cap, self.updates / self.anneal_updates)
            kl = -0.5 * torch.mean(torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp(), dim=1))
            loss = loss + beta * kl
        loss.backward()
        self.optimizer.step()
        self.updates += 1
        return loss.item()


def memory(n_items: int, hidden: tuple[int, ...], latent: int, batch_size: int) -> int:
    """Return the approximate number of bytes that training a yardstick needs."""
    widest = hidden[0] if hidden else latent
    return 4 * (4 * 2 * n_items * widest + 6 * batch_size * n_items)
