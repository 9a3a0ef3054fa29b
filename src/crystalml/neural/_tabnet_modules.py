"""The torch modules of TabNet: pytorch-tabnet's layers and weights, run by other kernels.

Ghost batch normalisation treats each virtual batch by itself. Instead of a loop over the virtual
batches, rows are put in an order in which those of all virtual batches alternate, so that those
of one kind lie side by side and one kernel normalises them all.

Source: S. Ö. Arik and T. Pfister, "TabNet: attentive interpretable tabular learning", AAAI 35
(2021) 6679-6687.
"""

import torch
from pytorch_tabnet.tab_network import TabNetDecoder, TabNetEncoder, TabNetNoEmbeddings
from torch import nn
from torch.nn import functional

# Keeps the logarithm of 0 finite, as in pytorch-tabnet.
_EPSILON = 1e-15


# The same columns are hidden whenever a validation loss is taken, so that epochs compare.
_EVALUATION_SEED = 0


# The sum of two terms of equal variance keeps that variance.
_SQRT_HALF = 0.5**0.5


# A bound that is never met: sparsemax takes about five steps, entmax seven.
_NEWTON_STEPS = 50


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
        steps = EncoderPass(self.encoder, self.embedder(x))
        # Rows stay in alternating order until the end: the mean entropy does not depend on order.
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
        # The decoder has no attention, so that it takes these parameters alone.
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
        # Without embeddings the inputs are the columns.
        inputs = columns
        if columns.shape[1] != embedded.shape[1]:
            # All inputs of a hidden category are hidden, or the rest of its vector would give it
            # away.
            inputs = (columns @ self.encoder.group_attention_matrix.to(columns) > 0).to(x.dtype)
        return self._fill_in(embedded * (1 - inputs), 1 - columns), embedded, inputs

    def encode(self, x):
        """Return what the steps contribute to each row, summed: what an output layer sees."""
        return sum(decision for _, decision in EncoderPass(self.encoder, self.embedder(x)))

    def _fill_in(self, embedded, prior):
        """Reconstruct embedded rows, of which only what `prior` leaves may be attended to."""
        steps = EncoderPass(self.encoder, embedded, prior)
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
            # The columns between two categorical ones are one slice: one copy, not one for each.
            parts += [x[:, start:column], embedding(x[:, column].long())]
            start = column + 1
        return torch.cat([*parts, x[:, start:]], dim=1)


def _embedder(n_inputs, categorical, cardinalities, dimensions):
    """Return the embedder, and its sizes as pytorch-tabnet's modules take them."""
    if not categorical:
        # pytorch-tabnet takes no matrix to mean that each input is a column of its own.
        return nn.Identity(), {"input_dim": n_inputs, "group_attention_matrix": None}
    width_of = dict(zip(categorical, dimensions, strict=True))
    widths = torch.tensor([width_of.get(column, 1) for column in range(n_inputs)], device="cpu")
    # A column's attention is divided among the inputs of its vector, so that wide vectors do not
    # get more of it.
    shares = torch.diag(1 / widths).repeat_interleave(widths, dim=1)
    sizes = {"input_dim": shares.shape[1], "group_attention_matrix": shares}
    return Embedder(categorical, cardinalities, dimensions), sizes


def _mean_entropy(masks):
    """Average the entropy over rows."""
    return (masks * torch.log(masks + _EPSILON)).sum() / -len(masks)


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
    steps = EncoderPass(module.encoder, module.embedder(x))
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
            # A category that was not there in fit is treated as an average one.
            embedding.weight[0] = embedding.weight[1:].mean(dim=0)


class PenalisedLoss(nn.Module):
    """A loss to which the penalty that a module returns in training is added.

    Parameters
    ----------
    loss : Module
        Called with output, target and weight.
    """

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, output, target, weight=None):
        """Return loss plus penalty of (outputs, penalty), or the loss of outputs alone."""
        # In evaluation the module returns no penalty.
        if isinstance(output, torch.Tensor):
            return self.loss(output, target, weight)
        outputs, penalty = output
        return self.loss(outputs, target, weight) + penalty

    def scores(self, output, target, weight=None):
        """Return the scores of the loss."""
        return self.loss.scores(output, target, weight)

    @property
    def predictions(self):
        """What reads predictions out of outputs."""
        return self.loss.predictions

    @property
    def probabilities(self):
        """What reads probabilities out of outputs, where the loss is one of classes."""
        return self.loss.probabilities


class ReconstructionLoss(nn.Module):
    """Squared error of the hidden inputs in units of their variance, averaged over rows.

    It is that of pytorch-tabnet, where each row counts the same however many of its columns are
    hidden. Inputs that do not vary within the batch are measured in their own units.
    """

    def forward(self, output, target=None, weight=None):  # noqa: ARG002
        """Return the loss of (reconstruction, embedded rows, what was hidden: 1 or 0)."""
        reconstruction, embedded, hidden = output
        # A batch of one row has no sample variance; its population variance is 0.
        variance = embedded.var(dim=0, correction=min(1, len(embedded) - 1))
        variance = torch.where(variance > 0, variance, 1.0)
        errors = ((reconstruction - embedded) * hidden).square() / variance
        # A row of which nothing was hidden has an error of 0, and counts as such.
        return (errors.sum(dim=1) / hidden.sum(dim=1).clamp(min=1)).mean()

    def scores(self, *_):
        """Return none: the loss is the only measure."""
        return {}


class EncoderPass:
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
        # In evaluation the running averages normalise every row by itself, in any order.
        if encoder.training:
            self.batches = VirtualBatches(len(x), encoder.virtual_batch_size)
            x = self.batches.alternate(x)
            prior = None if prior is None else self.batches.alternate(prior)
        # As in pytorch-tabnet, the input is normalised over the whole batch, not by virtual ones.
        self.x = encoder.initial_bn(x)
        self.prior = x.new_ones(len(x), encoder.attention_dim) if prior is None else prior

    def __iter__(self):
        """Yield the mask and the decision of each step, both in alternating order."""
        encoder, widths = self.encoder, [self.encoder.n_d, self.encoder.n_a]
        # What this first transformer decides is not used: it only chooses the first columns.
        start = run_transformer(encoder.initial_splitter, self.x, self.batches)
        attention, prior = start.split(widths, dim=1)[1], self.prior
        choose = MASKS[encoder.mask_type]
        for transformer, attentive in zip(
            encoder.feat_transformers, encoder.att_transformers, strict=True
        ):
            scores = ghost_normalise(attentive.bn.bn, attentive.fc(attention), self.batches)
            mask = choose(scores * prior)
            # After the mask, so that a step's own choice does not hinder it.
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
        # As torch.chunk divides rows, on which pytorch-tabnet relies.
        self.size = -(-n_rows // n_batches)
        self.n_equal, self.n_rest = divmod(n_rows, self.size)
        if self.n_rest == 1:
            # A single row has no variance, and torch refuses to normalise it.
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
            # Each later virtual batch shrinks what the earlier ones have added.
            ages = torch.arange(self.n_equal - 1, -1, -1, device=like.device, dtype=like.dtype)
            self._shares = momentum * (1 - momentum) ** ages
        return self._shares

    def _transposed(self, rows, n, m):
        if n * m == 0:
            return rows
        width = rows.shape[1]
        equal = rows[: n * m].view(n, m, width).transpose(0, 1).reshape(n * m, width)
        return torch.cat([equal, rows[n * m :]]) if self.n_rest else equal


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
        # pytorch-tabnet's stand-in where a block would have no layers.
        if isinstance(block, nn.Identity):
            continue
        for number, layer in enumerate(block.glu_layers):
            gated = functional.glu(ghost_normalise(layer.bn.bn, layer.fc(x), batches))
            # The very first layer changes the width, so that its input cannot be added.
            first = block.first and number == 0
            x = gated if first else torch.add(x, gated).mul_(_SQRT_HALF)
    return x


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
    # All rows may be in the last virtual batch: then there are no equal ones.
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
        # Each virtual batch has its own columns in this view, without a copy.
        x.view(-1, n_batches * width),
        mean,
        variance,
        norm.weight.repeat(n_batches),
        norm.bias.repeat(n_batches),
        training=True,
        # A momentum of 1 leaves mean and variance of the virtual batches in the two buffers.
        momentum=1.0,
        eps=norm.eps,
    )
    with torch.no_grad():
        shares = batches.shares(norm.momentum, like=x)
        now = shares @ mean_and_variance.view(2, n_batches, width)
        # The same averages as after one update for each virtual batch, in one step.
        kept = (1 - norm.momentum) ** n_batches
        norm.running_mean.mul_(kept).add_(now[0])
        norm.running_var.mul_(kept).add_(now[1])
        norm.num_batches_tracked += n_batches
    return output.view(x.shape)


class _Sparsemax(torch.autograd.Function):
    """The nearest point of the probability simplex (Martins and Astudillo, 2016)."""

    @staticmethod
    def forward(ctx, scores):
        z = _below_zero(scores)
        threshold = z.new_full(z.shape[1:], -1.0)
        n_before = None
        for _ in range(_NEWTON_STEPS):
            above = (z > threshold).to(z.dtype)
            n_above = above.sum(0)
            if n_before is not None and torch.equal(n_above, n_before):
                # What is above the threshold only ever shrinks: if it did not, the support is
                # found.
                break
            threshold = above.mul_(z).sum(0).sub_(1).div_(n_above)
            n_before = n_above
        mask = z.sub_(threshold).clamp_(min=0).T.contiguous()
        ctx.save_for_backward(mask)
        return mask

    @staticmethod
    def backward(ctx, gradient):
        (mask,) = ctx.saved_tensors
        # Zero entries stay zero under small changes, so no gradient flows through them.
        support = (mask > 0).to(mask.dtype)
        inside = gradient * support
        ones = mask.new_ones(mask.shape[1])
        mean = torch.mv(inside, ones).div_(torch.mv(support, ones))
        return torch.addcmul(inside, support, mean.unsqueeze(1), value=-1)


class _Entmax(torch.autograd.Function):
    """Tsallis entmax with alpha 1.5, between softmax and sparsemax (Peters et al., 2019)."""

    @staticmethod
    def forward(ctx, scores):
        z = _below_zero(scores).div_(2)
        threshold = z.new_full(z.shape[1:], -1.0)
        for _ in range(_NEWTON_STEPS):
            above = (z - threshold).clamp_(min=0)
            step = above.square().sum(0).sub_(1).div_(above.sum(0).mul_(2))
            threshold += step
            # Newton's method climbs to the threshold from below: steps are positive until rounding.
            if not (step > torch.finfo(z.dtype).eps).any():
                break
        mask = z.sub_(threshold).clamp_(min=0).square_().T.contiguous()
        ctx.save_for_backward(mask)
        return mask

    @staticmethod
    def backward(ctx, gradient):
        (mask,) = ctx.saved_tensors
        root = mask.sqrt()
        inside = gradient * root
        ones = mask.new_ones(mask.shape[1])
        mean = torch.mv(inside, ones).div_(torch.mv(root, ones))
        return torch.addcmul(inside, root, mean.unsqueeze(1), value=-1)


def _below_zero(scores):
    """Return the scores less the largest of their row, in columns."""
    z = scores.T.contiguous()
    # The mask does not depend on a constant, and the threshold then lies between -1 and 0.
    return z - z.amax(0)


# Name -> function of scores of shape (n_rows, n_columns); the rows of the result sum to 1.
MASKS = {"entmax": _Entmax.apply, "sparsemax": _Sparsemax.apply}
