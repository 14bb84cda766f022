"""BERT (Devlin et al., 2018) and its sentence embeddings (Reimers and Gurevych, "Sentence-BERT", 2019).

Weight names are those of transformers' BertModel.
"""

from dataclasses import dataclass
from typing import Any

import trtnet
from trtnet import nn, ops
from trtnet.models.published import BERT, Source


@dataclass(frozen=True)
class BertConfig:
    """The fields of the original's config.json; the defaults are all-MiniLM-L6-v2's.

    position_offset: where positions begin in their table, 2 in RoBERTa's.
    """

    vocab_size: int = 30522
    hidden_size: int = 384
    num_hidden_layers: int = 6
    num_attention_heads: int = 12
    intermediate_size: int = 1536
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    position_offset: int = 0
    add_pooling_layer: bool = True


class Embeddings(nn.Module):
    """Words, positions and segments."""

    def __init__(self, config: BertConfig) -> None:
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.position_offset = config.position_offset

    def forward(self, input_ids: trtnet.Tensor, token_type_ids: trtnet.Tensor) -> trtnet.Tensor:
        places = ops.arange(self.position_offset, input_ids.shape[1] + self.position_offset)
        positions = self.position_embeddings(places)
        return self.LayerNorm(self.word_embeddings(input_ids) + self.token_type_embeddings(token_type_ids) + positions)


class SelfAttention(nn.Module):
    """Every token looks at every token that is not padding."""

    def __init__(self, config: BertConfig) -> None:
        self.num_heads = config.num_attention_heads
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(config.hidden_size, config.hidden_size)
        self.value = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, x: trtnet.Tensor, mask: trtnet.Tensor) -> trtnet.Tensor:
        query, key, value = (nn.split_heads(part(x), self.num_heads) for part in (self.query, self.key, self.value))
        return nn.join_heads(ops.scaled_dot_product_attention(query, key, value, mask))


class Output(nn.Module):
    """A linear layer, the shortcut, and the norm after both."""

    def __init__(self, in_features: int, config: BertConfig) -> None:
        self.dense = nn.Linear(in_features, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, x: trtnet.Tensor, shortcut: trtnet.Tensor) -> trtnet.Tensor:
        return self.LayerNorm(self.dense(x) + shortcut)


class Attention(nn.Module):
    """Self-attention and its output."""

    def __init__(self, config: BertConfig) -> None:
        self.self = SelfAttention(config)
        self.output = Output(config.hidden_size, config)

    def forward(self, x: trtnet.Tensor, mask: trtnet.Tensor) -> trtnet.Tensor:
        return self.output(self.self(x, mask), x)


class Layer(nn.Module):
    """Attention, then a two-layer perceptron."""

    def __init__(self, config: BertConfig) -> None:
        self.attention = Attention(config)
        self.intermediate = nn.Sequential({"dense": nn.Linear(config.hidden_size, config.intermediate_size)})
        self.output = Output(config.intermediate_size, config)

    def forward(self, x: trtnet.Tensor, mask: trtnet.Tensor) -> trtnet.Tensor:
        x = self.attention(x, mask)
        return self.output(ops.gelu(self.intermediate(x)), x)


class Encoder(nn.Module):
    """All layers."""

    def __init__(self, config: BertConfig) -> None:
        self.layer = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))

    def forward(self, x: trtnet.Tensor, mask: trtnet.Tensor) -> trtnet.Tensor:
        for layer in self.layer:
            x = layer(x, mask)
        return x


class Bert(nn.Module):
    """input_ids, attention_mask (1 where there is a token), token_type_ids [batch, length] int64 -> last_hidden_state
    [batch, length, hidden_size], and pooler_output [batch, hidden_size] if there is a pooler."""

    inputs = {
        name: trtnet.Input(("batch", "length"), "int64") for name in ("input_ids", "attention_mask", "token_type_ids")
    }

    def __init__(self, config: BertConfig) -> None:
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        pooler = nn.Sequential({"dense": nn.Linear(config.hidden_size, config.hidden_size)})
        self.pooler = pooler if config.add_pooling_layer else None

    def encode(
        self, input_ids: trtnet.Tensor, attention_mask: trtnet.Tensor, token_type_ids: trtnet.Tensor
    ) -> trtnet.Tensor:
        mask = (attention_mask != 0)[:, None, None, :]
        return self.encoder(self.embeddings(input_ids, token_type_ids), mask)

    def forward(
        self, input_ids: trtnet.Tensor, attention_mask: trtnet.Tensor, token_type_ids: trtnet.Tensor
    ) -> dict[str, trtnet.Tensor]:
        x = self.encode(input_ids, attention_mask, token_type_ids)
        pooled = {"pooler_output": ops.tanh(self.pooler(x[:, 0]))} if self.pooler else {}
        return {"last_hidden_state": x, **pooled}


class SentenceBert(Bert):
    """The inputs of Bert -> sentence_embedding [batch, hidden_size] of length 1: the mean of the tokens, normalized."""

    def forward(
        self, input_ids: trtnet.Tensor, attention_mask: trtnet.Tensor, token_type_ids: trtnet.Tensor
    ) -> dict[str, trtnet.Tensor]:
        x = self.encode(input_ids, attention_mask, token_type_ids).float()
        present = attention_mask.float().unsqueeze(-1)
        mean = (x * present).sum(1) / ops.clamp(present.sum(1), min=1e-9)
        return {"sentence_embedding": ops.normalize(mean)}


def minilm(config: BertConfig | Source | None = None, **fields: Any) -> SentenceBert:
    """all-MiniLM-L6-v2: sentence embeddings of 384 numbers."""
    return SentenceBert(BERT.read(config, BertConfig(), fields))
