"""Self-attention among tokens."""

from torch import Tensor, nn
from torch.nn import functional

from recsys_ae.nn.layers import linear


class Block(nn.Module):
    """Attention and two dense layers, each after a layer norm and added to its input (Vaswani et al. 2017)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixed, self.merged = linear(width, 3 * width), linear(width, width)
        self.wide, self.narrow = linear(width, 4 * width), linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map ``(n, tokens, width)`` to the same shape."""
        n, t, width = tokens.shape
        qkv = self.mixed(self.first(tokens)).reshape(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
        tokens = tokens + self.merged(attended.transpose(1, 2).reshape(n, t, width))
        added: Tensor = tokens + self.narrow(functional.gelu(self.wide(self.second(tokens))))
        return added
