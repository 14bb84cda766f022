"""Vision Transformer (Dosovitskiy et al., "An image is worth 16x16 words", 2020), in torchvision's form and names."""

from trtnet import nn, ops
from trtnet.graph import Input, Tensor


class EncoderBlock(nn.Module):
    """Attention and a two-layer perceptron, each after a norm and beside a shortcut."""

    def __init__(self, num_heads: int, hidden_dim: int, mlp_dim: int) -> None:
        self.ln_1 = nn.LayerNorm(hidden_dim, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(hidden_dim, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(hidden_dim, mlp_dim), nn.GELU(), nn.Dropout(), nn.Linear(mlp_dim, hidden_dim), nn.Dropout()
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Tokens with their positions, through all blocks."""

    def __init__(self, seq_length: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int) -> None:
        self.pos_embedding = nn.Parameter(1, seq_length, hidden_dim)
        self.layers = nn.Sequential(
            {f"encoder_layer_{i}": EncoderBlock(num_heads, hidden_dim, mlp_dim) for i in range(num_layers)}
        )
        self.ln = nn.LayerNorm(hidden_dim, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return self.ln(self.layers(x + self.pos_embedding))


class VisionTransformer(nn.Module):
    """image [batch, 3, image_size, image_size], normalized as ImageNet's -> logits [batch, num_classes]."""

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        num_classes: int = 1000,
    ) -> None:
        self.inputs = {"image": Input(("batch", 3, image_size, image_size))}
        self.conv_proj = nn.Conv2d(3, hidden_dim, patch_size, stride=patch_size)
        self.class_token = nn.Parameter(1, 1, hidden_dim)
        seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(seq_length, num_layers, num_heads, hidden_dim, mlp_dim)
        self.heads = nn.Sequential({"head": nn.Linear(hidden_dim, num_classes)})

    def forward(self, image: Tensor) -> Tensor:
        patches = self.conv_proj(image).flatten(2).transpose(1, 2)
        class_token = ops.expand(self.class_token, (patches.shape[0], -1, -1))
        x = self.encoder(ops.cat([class_token, patches], dim=1))
        return self.heads(x[:, 0])


def vit_b_16(num_classes: int = 1000, image_size: int = 224) -> VisionTransformer:
    """ViT-B/16."""
    return VisionTransformer(image_size, 16, 12, 12, 768, 3072, num_classes)
