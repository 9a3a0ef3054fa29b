"""Ways through pytorch-tabnet's layers: their weights and results, other kernels.

Ghost batch normalisation treats each virtual batch by itself. Instead of a loop over the virtual
batches, rows are put in an order in which those of all virtual batches alternate, so that those
of one kind lie side by side and one kernel normalises them all.

Source: S. Ö. Arik and T. Pfister, "TabNet: attentive interpretable tabular learning", AAAI 35
(2021) 6679-6687.
"""

import torch
from torch import nn
from torch.nn import functional

from crystalml.neural._tabnet_masks import MASKS

_SQRT_HALF = 0.5**0.5


class VirtualBatches:
    """How rows of a training batch are shared among virtual batches, as pytorch-tabnet does.

    All virtual batches have `size` rows, except a last one of `n_rest` rows. Different from
    there, a last one of a single row, which has no variance, joins the one before.

    Parameters
    ----------
    n_rows : int
        Rows of the batch.
    largest : int
        Rows of a virtual batch, at most.
    """

    def __init__(self, n_rows, largest):
        n_batches = -(-n_rows // largest)
        self.size = -(-n_rows // n_batches)
        self.n_equal, self.n_rest = divmod(n_rows, self.size)
        if self.n_rest == 1:
            self.n_equal, self.n_rest = self.n_equal - 1, self.size + 1
        self._shares = None

    def alternate(self, rows):
        """Order rows so that those of the equal virtual batches take turns."""
        return self._transposed(rows, self.n_equal, self.size)

    def restore(self, rows):
        """Undo `alternate`."""
        return self._transposed(rows, self.size, self.n_equal)

    def shares(self, momentum, *, like):
        """Return how much each equal virtual batch counts in a running average after all."""
        if self._shares is None:
            ages = torch.arange(self.n_equal - 1, -1, -1, device=like.device, dtype=like.dtype)
            self._shares = momentum * (1 - momentum) ** ages
        return self._shares

    def _transposed(self, rows, n, m):
        if n * m == 0:
            return rows
        width = rows.shape[1]
        equal = rows[: n * m].view(n, m, width).transpose(0, 1).reshape(n * m, width)
        return torch.cat([equal, rows[n * m :]]) if self.n_rest else equal


def ghost_normalise(norm, x, batches):
    """Normalise rows with the statistics of their virtual batch, or with those of the training.

    Parameters
    ----------
    norm : BatchNorm1d
        Its running averages are brought up to date as by one virtual batch after the other.
    x : Tensor of shape (n_rows, n_columns)
        In alternating order.
    batches : VirtualBatches or None
        None in evaluation.
    """
    if batches is None:
        return norm(x)
    n_rows = batches.size * batches.n_equal
    if not n_rows:
        return norm(x)
    equal = _normalise_equal(norm, x[:n_rows] if batches.n_rest else x, batches)
    return torch.cat([equal, norm(x[n_rows:])]) if batches.n_rest else equal


def _normalise_equal(norm, x, batches):
    """Normalise virtual batches of one size: the columns of all of them lie side by side."""
    n_batches, width = batches.n_equal, x.shape[1]
    if n_batches == 1:
        return norm(x)
    mean_and_variance = x.new_zeros(2, n_batches * width)
    mean, variance = mean_and_variance
    output = functional.batch_norm(
        x.view(-1, n_batches * width),
        mean,
        variance,
        norm.weight.repeat(n_batches),
        norm.bias.repeat(n_batches),
        training=True,
        momentum=1.0,  # leaves mean and variance of the virtual batches in the two buffers
        eps=norm.eps,
    )
    with torch.no_grad():
        shares = batches.shares(norm.momentum, like=x)
        now = shares @ mean_and_variance.view(2, n_batches, width)
        kept = (1 - norm.momentum) ** n_batches
        norm.running_mean.mul_(kept).add_(now[0])
        norm.running_var.mul_(kept).add_(now[1])
        norm.num_batches_tracked += n_batches
    return output.view(x.shape)


def run_transformer(transformer, x, batches):
    """Run the shared and the own gated layers of a feature transformer.

    Parameters
    ----------
    transformer : pytorch_tabnet.tab_network.FeatTransformer
        Its running averages are brought up to date in training.
    x : Tensor of shape (n_rows, n_inputs)
        In alternating order.
    batches : VirtualBatches or None
        None in evaluation.

    Returns
    -------
    Tensor of shape (n_rows, n_outputs)
    """
    for block in (transformer.shared, transformer.specifics):
        if isinstance(block, nn.Identity):
            continue
        for number, layer in enumerate(block.glu_layers):
            gated = functional.glu(ghost_normalise(layer.bn.bn, layer.fc(x), batches))
            first = block.first and number == 0
            x = gated if first else torch.add(x, gated).mul_(_SQRT_HALF)
    return x


class Pass:
    """One way through an encoder: what each step attends to, and what it contributes.

    Parameters
    ----------
    encoder : pytorch_tabnet.tab_network.TabNetEncoder
        With the layers of all steps.
    x : Tensor of shape (n_rows, n_inputs)
        Embedded rows.
    prior : Tensor of shape (n_rows, n_columns), default=None
        How much of each column may be attended to; None for all of it.
    """

    def __init__(self, encoder, x, prior=None):
        self.encoder = encoder
        self.batches = None
        if encoder.training:
            self.batches = VirtualBatches(len(x), encoder.virtual_batch_size)
            x = self.batches.alternate(x)
            prior = None if prior is None else self.batches.alternate(prior)
        self.x = encoder.initial_bn(x)
        self.prior = x.new_ones(len(x), encoder.attention_dim) if prior is None else prior

    def __iter__(self):
        """Yield the mask and the decision of each step, both in alternating order."""
        encoder, widths = self.encoder, [self.encoder.n_d, self.encoder.n_a]
        start = run_transformer(encoder.initial_splitter, self.x, self.batches)
        attention, prior = start.split(widths, dim=1)[1], self.prior
        choose = MASKS[encoder.mask_type]
        for transformer, attentive in zip(
            encoder.feat_transformers, encoder.att_transformers, strict=True
        ):
            scores = ghost_normalise(attentive.bn.bn, attentive.fc(attention), self.batches)
            mask = choose(scores * prior)
            prior = prior * (encoder.gamma - mask)
            output = run_transformer(transformer, self._shares(mask) * self.x, self.batches)
            decision, attention = output.split(widths, dim=1)
            yield mask, torch.relu(decision)

    def restore(self, rows):
        """Bring results back into the order of the rows that came."""
        return rows if self.batches is None else self.batches.restore(rows)

    def _shares(self, mask):
        """Share the attention to a column among the inputs that its embedding has."""
        if mask.shape[1] == self.x.shape[1]:
            return mask
        return mask @ self.encoder.group_attention_matrix.to(mask)
