"""The torch modules of TabNet: pytorch-tabnet's layers and weights, run by our own passes."""

import torch
from pytorch_tabnet.tab_network import TabNetDecoder, TabNetEncoder, TabNetNoEmbeddings
from torch import nn

from crystalml.neural._tabnet_layers import Pass, run_transformer

_EPSILON = 1e-15  # pytorch-tabnet's: keeps the logarithm of 0 finite
_EVALUATION_SEED = 0  # the same columns are hidden whenever a validation loss is taken


class Embedder(nn.Module):
    """Replaces the codes of categorical columns by vectors.

    Parameters
    ----------
    categorical : sequence of int
        Positions of the categorical columns, ascending.
    cardinalities, dimensions : sequence of int
        Number of codes and width of the vectors of each of them.
    """

    def __init__(self, categorical, cardinalities, dimensions):
        super().__init__()
        self.categorical = list(categorical)
        sizes = zip(cardinalities, dimensions, strict=True)
        self.embeddings = nn.ModuleList(nn.Embedding(*size) for size in sizes)

    def forward(self, x):
        """Return the embedded rows; columns between the categorical ones are copied at once."""
        parts, start = [], 0
        for column, embedding in zip(self.categorical, self.embeddings, strict=True):
            parts += [x[:, start:column], embedding(x[:, column].long())]
            start = column + 1
        return torch.cat([*parts, x[:, start:]], dim=1)


class TabNet(nn.Module):
    """TabNet for labels or numbers, with the weights of pytorch-tabnet's module of that name.

    In training it returns outputs and the sparsity penalty of the masks, in evaluation the
    outputs alone.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Number of columns and of outputs.
    lambda_sparse : float
        Factor of the penalty, the mean entropy of the masks.
    categorical, cardinalities, dimensions : sequence of int
        As in `Embedder`; empty where no column is categorical.
    **parameters : dict
        Those of the encoder: ``n_d, n_a, n_steps, gamma, n_independent, n_shared,
        virtual_batch_size, momentum, mask_type``.
    """

    def __init__(
        self,
        n_inputs,
        n_outputs,
        lambda_sparse,
        categorical=(),
        cardinalities=(),
        dimensions=(),
        **parameters,
    ):
        super().__init__()
        self.lambda_sparse = lambda_sparse
        self.embedder, sizes = _embedder(n_inputs, categorical, cardinalities, dimensions)
        self.tabnet = TabNetNoEmbeddings(output_dim=n_outputs, **sizes, **parameters)

    @property
    def encoder(self):
        """The part that pretraining shares."""
        return self.tabnet.encoder

    def forward(self, x):
        """Return the outputs of each row, and in training the penalty."""
        steps = Pass(self.encoder, self.embedder(x))
        masks, decisions = zip(*steps, strict=True)
        outputs = steps.restore(self.tabnet.final_mapping(sum(decisions)))
        if not self.training:
            return outputs
        return outputs, self.lambda_sparse * _mean_entropy(torch.cat(masks))


class TabNetPretraining(nn.Module):
    """TabNet that fills in hidden columns, with the weights of pytorch-tabnet's module.

    Returns the reconstruction of the embedded rows, the embedded rows, and what was hidden. In
    evaluation the same columns are hidden in every call.

    Parameters
    ----------
    n_inputs : int
        Number of columns.
    masking_ratio : float
        Chance of a column to be hidden.
    n_independent_decoder, n_shared_decoder : int
        Gated layers of the decoder, of each step and common to them.
    categorical, cardinalities, dimensions : sequence of int
        As in `Embedder`; empty where no column is categorical.
    **parameters : dict
        Those of the encoder, as in `TabNet`.
    """

    def __init__(
        self,
        n_inputs,
        masking_ratio,
        n_independent_decoder,
        n_shared_decoder,
        categorical=(),
        cardinalities=(),
        dimensions=(),
        **parameters,
    ):
        super().__init__()
        self.masking_ratio = masking_ratio
        self.embedder, sizes = _embedder(n_inputs, categorical, cardinalities, dimensions)
        width = sizes["input_dim"]
        self.encoder = TabNetEncoder(output_dim=width, **sizes, **parameters)
        shared = ("n_d", "n_steps", "virtual_batch_size", "momentum")
        self.decoder = TabNetDecoder(
            width,
            n_independent=n_independent_decoder,
            n_shared=n_shared_decoder,
            **{name: parameters[name] for name in shared},
        )

    def forward(self, x):
        """Hide some columns of each row and fill them in."""
        embedded = self.embedder(x)
        columns = self._hidden_columns(x)
        inputs = columns
        if columns.shape[1] != embedded.shape[1]:
            inputs = (columns @ self.encoder.group_attention_matrix.to(columns) > 0).to(x.dtype)
        return self._fill_in(embedded * (1 - inputs), 1 - columns), embedded, inputs

    def encode(self, x):
        """Return what the steps contribute to each row, summed: what an output layer sees."""
        return sum(decision for _, decision in Pass(self.encoder, self.embedder(x)))

    def _fill_in(self, embedded, prior):
        """Reconstruct embedded rows, of which only what `prior` leaves may be attended to."""
        steps = Pass(self.encoder, embedded, prior)
        transformed = (
            run_transformer(transformer, decision, steps.batches)
            for transformer, (_, decision) in zip(
                self.decoder.feat_transformers, steps, strict=True
            )
        )
        return steps.restore(self.decoder.reconstruction_layer(sum(transformed)))

    def _hidden_columns(self, x):
        """Draw which columns of each row are hidden: 1, or 0."""
        # The draws depend on the type of the chances, which should not depend on that of the rows.
        chances = torch.full_like(x, self.masking_ratio, dtype=torch.float32)
        generator = None
        if not self.training:
            generator = torch.Generator(x.device).manual_seed(_EVALUATION_SEED)
        return torch.bernoulli(chances, generator=generator).to(x.dtype)


def explain(module, x):
    """Return the mask of each step, and in a last column how much the step contributes.

    Parameters
    ----------
    module : TabNet or TabNetPretraining
        In evaluation mode.
    x : Tensor of shape (n_rows, n_columns)
        Rows as they come.

    Returns
    -------
    Tensor of shape (n_rows, n_steps, n_columns + 1)
    """
    steps = Pass(module.encoder, module.embedder(x))
    return torch.stack(
        [torch.cat([mask, decision.sum(dim=1, keepdim=True)], dim=1) for mask, decision in steps],
        dim=1,
    )


@torch.no_grad()
def average_unknown(module, columns):
    """Give the code 0 of some categorical columns the mean vector of their categories."""
    embedder = module.embedder
    for column, embedding in zip(embedder.categorical, embedder.embeddings, strict=True):
        if column in columns:
            embedding.weight[0] = embedding.weight[1:].mean(dim=0)


def _embedder(n_inputs, categorical, cardinalities, dimensions):
    """Return the embedder, and its sizes as pytorch-tabnet's modules take them."""
    if not categorical:
        return nn.Identity(), {"input_dim": n_inputs, "group_attention_matrix": None}
    width_of = dict(zip(categorical, dimensions, strict=True))
    widths = torch.tensor([width_of.get(column, 1) for column in range(n_inputs)], device="cpu")
    shares = torch.diag(1 / widths).repeat_interleave(widths, dim=1)
    sizes = {"input_dim": shares.shape[1], "group_attention_matrix": shares}
    return Embedder(categorical, cardinalities, dimensions), sizes


def _mean_entropy(masks):
    """Average the entropy over rows."""
    return (masks * torch.log(masks + _EPSILON)).sum() / -len(masks)
