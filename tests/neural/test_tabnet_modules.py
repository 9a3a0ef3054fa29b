"""TabNet's modules beside pytorch-tabnet's: the same weights, outputs, gradients and averages."""

import copy
import pickle

import numpy as np
import pytest
import torch
from pytorch_tabnet import tab_network
from pytorch_tabnet.metrics import UnsupervisedLoss
from pytorch_tabnet.sparsemax import entmax15, sparsemax

from crystalml.neural import _tabnet_modules
from crystalml.neural._tabnet_modules import (
    MASKS,
    PenalisedLoss,
    ReconstructionLoss,
    TabNet,
    TabNetPretraining,
    VirtualBatches,
    average_unknown,
    explain,
)

SIZES = {
    "n_d": 6,
    "n_a": 5,
    "n_steps": 3,
    "gamma": 1.4,
    "n_independent": 2,
    "n_shared": 2,
    "virtual_batch_size": 16,
    "momentum": 0.05,
    "mask_type": "sparsemax",
}
CATEGORICAL = {"categorical": [1, 4], "cardinalities": [3, 5], "dimensions": [2, 3]}
OTHER_SIZES = [
    {},
    {"mask_type": "entmax"},
    {"n_shared": 0},
    {"n_independent": 0},
    {"n_shared": 1, "n_independent": 3, "n_steps": 1},
    CATEGORICAL,
]


@pytest.fixture
def exact(monkeypatch):
    """Compute in double precision, where pytorch-tabnet has one number in single precision."""
    scale = float(torch.sqrt(torch.tensor([0.5], dtype=torch.float32)))
    monkeypatch.setattr(_tabnet_modules, "_SQRT_HALF", scale)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def theirs_of(parameters):
    """Name our parameters as pytorch-tabnet does."""
    renamed = dict(parameters)
    for ours, theirs in zip(CATEGORICAL, ("cat_idxs", "cat_dims", "cat_emb_dim"), strict=True):
        renamed[theirs] = renamed.pop(ours, [])
    return {**renamed, "group_attention_matrix": torch.eye(7)}


def pair(cls=TabNet, **parameters):
    """Build our module and pytorch-tabnet's from the same seed."""
    parameters = {**SIZES, **parameters}
    other = {"input_dim": 7, **theirs_of(parameters)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        if cls is TabNet:
            ours = TabNet(7, 2, 0.1, **parameters)
            torch.manual_seed(3)
            return ours, tab_network.TabNet(output_dim=2, **other)
        ours = TabNetPretraining(7, 0.4, 1, 1, **parameters)
        torch.manual_seed(3)
        return ours, tab_network.TabNetPretraining(pretraining_ratio=0.4, **other)


def rows(n_rows, parameters=()):
    rng = np.random.default_rng(n_rows)
    x = rng.standard_normal((n_rows, 7))
    if "categorical" in parameters:
        x[:, 1], x[:, 4] = rng.integers(0, 3, n_rows), rng.integers(0, 5, n_rows)
    return torch.tensor(x, dtype=torch.get_default_dtype())


def assert_same_state(ours, theirs, **tolerance):
    ours, theirs = ours.state_dict(), theirs.state_dict()
    assert list(ours) == list(theirs)
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], **tolerance)


class TestTabNet:
    @pytest.mark.parametrize("parameters", OTHER_SIZES, ids=str)
    @pytest.mark.parametrize("cls", [TabNet, TabNetPretraining])
    def test_same_names_shapes_and_initial_weights(self, cls, parameters):
        assert_same_state(*pair(cls, **parameters), rtol=0, atol=0)

    def test_parameters_of_the_study(self):
        module = TabNet(9, 1, 1e-4, **{**SIZES, "n_d": 64, "n_a": 64, "n_steps": 5})
        shared = 256 * (9 + 128)
        own = 2 * 128 * 256 + 4 * 2 * 256  # two layers, and normalisation of all four
        attention = 64 * 9 + 2 * 9
        unused = 2 * 9  # a normalisation that pytorch-tabnet has and never calls
        total = shared + 6 * own + 5 * attention + 2 * 9 + unused + 64
        assert len({id(p) for p in module.parameters()}) == len(list(module.parameters()))
        assert sum(p.numel() for p in module.parameters()) == total == 443_646

    @pytest.mark.parametrize("parameters", OTHER_SIZES, ids=str)
    @pytest.mark.parametrize("n_rows", [48, 39, 10])  # equal virtual batches, unequal, one
    def test_same_outputs_gradients_and_averages(self, exact, parameters, n_rows):
        ours, theirs = pair(**parameters)
        x = rows(n_rows, parameters)
        for _ in range(2):  # the averages of a second batch build on those of the first
            outputs, penalty = ours(x)
            their_outputs, entropy = theirs(x)
            torch.testing.assert_close(outputs, their_outputs)
            torch.testing.assert_close(penalty, -0.1 * entropy)
        (outputs.sin().sum() + penalty).backward()
        (their_outputs.sin().sum() - 0.1 * entropy).backward()
        for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(p.grad, q.grad, msg=name, rtol=1e-6, atol=1e-9)
        assert_same_state(ours, theirs)
        torch.testing.assert_close(ours.eval()(x), theirs.eval()(x)[0])

    def test_explanation_is_theirs(self, exact):
        ours, theirs = pair(**CATEGORICAL)
        x = rows(30, CATEGORICAL)
        ours(x), theirs(x)
        answer = explain(ours.eval(), x)
        importances, masks = theirs.eval().forward_masks(x)
        of_column = theirs.embedder.embedding_group_matrix.T > 0
        for step, mask in masks.items():
            torch.testing.assert_close(answer[:, step, :-1], mask @ of_column.double())
        weighted = (answer[:, :, :-1] * answer[:, :, -1:]).sum(dim=1)
        torch.testing.assert_close(weighted, importances @ of_column.double())

    def test_rows_do_not_depend_on_the_batch_in_evaluation(self):
        ours, _ = pair()
        ours(rows(64))
        x = rows(1000)
        together = ours.eval()(x)
        alone = torch.cat([ours(x[i : i + 1]) for i in range(0, 1000, 100)])
        torch.testing.assert_close(together[::100], alone, rtol=1e-3, atol=1e-4)

    def test_pickles_and_copies(self):
        ours, _ = pair(**CATEGORICAL)
        x = rows(5, CATEGORICAL)
        expected = ours.eval()(x)
        for again in (pickle.loads(pickle.dumps(ours)), copy.deepcopy(ours)):
            torch.testing.assert_close(again(x), expected)


class TestVirtualBatches:
    @pytest.mark.parametrize("n_rows", [1, 2, 3, 5, 16, 17, 32, 33, 100, 1000])
    @pytest.mark.parametrize("largest", [2, 3, 16, 128])
    def test_shares_are_those_of_chunk(self, n_rows, largest):
        x = torch.arange(2 * n_rows).view(n_rows, 2)
        sizes = [len(part) for part in x.chunk(-(-n_rows // largest))]
        if len(sizes) > 1 and sizes[-1] == 1:
            sizes[-2:] = [sizes[-2] + 1]
        batches = VirtualBatches(n_rows, largest)
        ours = [batches.size] * batches.n_equal + [batches.n_rest] * (batches.n_rest > 0)
        assert ours == sizes
        alternating = batches.alternate(x)
        assert torch.equal(batches.restore(alternating), x)
        firsts = alternating[: batches.n_equal, 0] // 2
        assert firsts.tolist() == [i * batches.size for i in range(batches.n_equal)]


class TestMasks:
    @pytest.mark.parametrize(("name", "theirs"), [("sparsemax", sparsemax), ("entmax", entmax15)])
    @pytest.mark.parametrize("n_columns", [1, 2, 9, 60])
    @pytest.mark.parametrize("spread", [1e-3, 1.0, 30.0])
    def test_values_and_gradients(self, name, theirs, n_columns, spread):
        rng = np.random.default_rng(n_columns)
        scores = torch.tensor(spread * rng.standard_normal((200, n_columns)), requires_grad=True)
        twin = scores.detach().clone().requires_grad_()
        weights = torch.tensor(rng.standard_normal((200, n_columns)))
        ours, other = MASKS[name](scores), theirs(twin * 1.0, -1)
        torch.testing.assert_close(ours, other)
        torch.testing.assert_close(ours.sum(dim=1), torch.ones(200, dtype=torch.float64))
        (ours * weights).sum().backward()
        (other * weights).sum().backward()
        torch.testing.assert_close(scores.grad, twin.grad)

    @pytest.mark.parametrize("name", sorted(MASKS))
    def test_gradients_by_differences(self, name):
        scores = torch.tensor([[0.3, 0.1, -0.2, -3.0], [2.0, 1.9, 1.8, 1.7]], dtype=torch.float64)
        assert torch.autograd.gradcheck(MASKS[name], scores.requires_grad_())

    @pytest.mark.parametrize("name", sorted(MASKS))
    def test_ties_and_large_scores(self, name):
        scores = torch.tensor([[1e6, 1e6, 0.0], [0.0, 0.0, 0.0]])
        expected = torch.tensor([[0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]])
        torch.testing.assert_close(MASKS[name](scores), expected)

    @pytest.mark.parametrize("name", sorted(MASKS))
    def test_no_number_ends_the_search(self, name):
        assert MASKS[name](torch.tensor([[float("nan"), 1.0]])).isnan().all()


class TestPretraining:
    def test_same_reconstruction_as_theirs(self, exact, monkeypatch):
        for parameters in ({}, CATEGORICAL):
            ours, theirs = pair(TabNetPretraining, **parameters)
            x = rows(48, parameters)
            columns = (rows(48) > 0.5).double()
            monkeypatch.setattr(torch, "bernoulli", lambda *_, mask=columns, **__: mask)
            found, expected = ours(x), theirs(x)
            for part, other in zip(found, expected, strict=True):
                torch.testing.assert_close(part, other)
            loss, their_loss = ReconstructionLoss()(found), UnsupervisedLoss(*expected)
            torch.testing.assert_close(loss, their_loss, rtol=1e-6, atol=0)
            assert_same_state(ours, theirs)

    def test_hides_the_asked_share(self):
        ours, _ = pair(TabNetPretraining)
        _, _, hidden = ours(rows(2000))
        assert set(hidden.unique().tolist()) == {0.0, 1.0}
        assert abs(hidden.mean() - 0.4) < 0.03

    def test_evaluation_hides_the_same_and_no_generator_is_touched(self):
        ours, _ = pair(TabNetPretraining)
        before = torch.get_rng_state()
        first, second = (ours.eval()(rows(50))[2] for _ in range(2))
        assert torch.equal(first, second)
        assert torch.equal(before, torch.get_rng_state())

    def test_hidden_values_do_not_leak(self):
        ours, _ = pair(TabNetPretraining)
        x = rows(50)
        reconstruction, _, hidden = ours.eval()(x)
        other = ours(torch.where(hidden > 0, 99.0, x))[0]
        torch.testing.assert_close(reconstruction, other)


class TestLosses:
    def test_constant_inputs_and_single_rows_have_a_finite_loss(self):
        output, embedded = torch.ones(4, 2), torch.tensor([[0.0, -2.0]]).expand(4, 2)
        loss = ReconstructionLoss()((output, embedded, torch.ones(4, 2)))
        torch.testing.assert_close(loss, torch.tensor((1 + 9) / 2))
        one = ReconstructionLoss()((output[:1], embedded[:1], torch.ones(1, 2)))
        torch.testing.assert_close(one, loss)

    def test_nothing_hidden_costs_nothing(self):
        embedded = torch.randn(5, 3)
        assert ReconstructionLoss()((embedded + 1, embedded, torch.zeros(5, 3))) == 0

    def test_penalty_is_added_in_training_only(self):
        loss = PenalisedLoss(torch.nn.MSELoss())
        loss.loss.forward = lambda output, target, weight: ((output - target) ** 2).mean()
        outputs, target = torch.ones(3, 1), torch.zeros(3, 1)
        assert loss((outputs, torch.tensor(0.5)), target) == 1.5
        assert loss(outputs, target) == 1.0


def test_unknown_category_gets_the_mean_vector():
    ours, _ = pair(**CATEGORICAL)
    first, second = (embedding.weight.detach().clone() for embedding in ours.embedder.embeddings)
    average_unknown(ours, [4])
    now = [embedding.weight for embedding in ours.embedder.embeddings]
    torch.testing.assert_close(now[0], first)
    torch.testing.assert_close(now[1][0], second[1:].mean(dim=0))
    torch.testing.assert_close(now[1][1:], second[1:])
