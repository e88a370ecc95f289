"""Trainers that tell a callback: stand-ins of their documented signatures, and real ones if there.

The stand-ins call as the documentation of each trainer says; real XGBoost, LightGBM and
scikit-learn are tried where they are installed.
"""

import importlib.util
import sys
import types

import numpy as np
import pytest

from nbchannels.bridges.callbacks import Callback
from nbchannels.bridges.logs import flush
from nbchannels.exceptions import InvalidName, LayerUnavailable


def rows(group):
    """The rows as dicts, without their times, in their order."""
    flush(group)
    found = []
    for message in group.history(10_000):
        columns = {name: list(values) for name, values in message.items() if name != "time"}
        found += [dict(zip(columns, row, strict=True)) for row in zip(*columns.values())]  # noqa: B905
    return found


class Scalar:
    """A tensor of torch of no dimension."""

    ndim = 0

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value


def test_any_loop(group):
    callback = Callback(group)
    for epoch in range(3):
        callback(epoch, loss=1 / (epoch + 1))
    callback({"loss": 0.1})
    callback(9, {"loss": 0.05})
    assert rows(group) == [
        {"step": 0, "loss": 1.0},
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": pytest.approx(1 / 3)},
        {"step": 3, "loss": 0.1},
        {"step": 9, "loss": 0.05},
    ]


def test_keras(group):
    callback = Callback(group)
    callback.set_params({"epochs": 2})
    callback.set_model(object())
    callback.on_train_begin({})
    for epoch in range(2):
        callback.on_epoch_begin(epoch, {})
        for batch in range(3):
            callback.on_train_batch_begin(batch, {})
            callback.on_train_batch_end(batch, {"loss": 1.0})
        callback.on_test_begin({})
        callback.on_test_end({"loss": 0.5})
        callback.on_epoch_end(epoch, {"loss": 1.0 - epoch, "val_loss": np.float32(0.5)})
    callback.on_train_end({})
    assert rows(group) == [
        {"step": 0, "epoch": 0, "loss": 1.0, "val_loss": 0.5},
        {"step": 1, "epoch": 1, "loss": 0.0, "val_loss": 0.5},
    ]


def test_keras_with_batches(group):
    callback = Callback(group, batches=True)
    for _ in range(2):
        for batch in range(2):
            callback.on_train_batch_end(batch, {"loss": 1.0})
    assert [(row["step"], row["batch"]) for row in rows(group)] == [(0, 0), (1, 1), (2, 0), (3, 1)]


class Lightning:
    """What a callback reads of Lightning's ``Trainer``."""

    def __init__(self):
        self.callback_metrics = {}
        self.global_step = self.current_epoch = 0
        self.sanity_checking = False


def test_lightning(group):
    callback, trainer, module = Callback(group), Lightning(), object()
    callback.setup(trainer, module, stage="fit")
    callback.on_fit_start(trainer, module)
    trainer.sanity_checking, trainer.callback_metrics = True, {"val_loss": Scalar(9.0)}
    callback.on_validation_end(trainer, module)
    trainer.sanity_checking = False
    for epoch in range(2):
        trainer.current_epoch, trainer.global_step = epoch, 10 * (epoch + 1)
        trainer.callback_metrics = {"train_loss": Scalar(1.0 / (epoch + 1))}
        callback.on_train_batch_end(trainer, module, {}, "batch", 0)
        callback.on_train_epoch_end(trainer, module)
    callback.on_train_end(trainer, module)
    callback.teardown(trainer, module, stage="fit")
    assert callback.state_dict() == {}
    assert callback.state_key == "nbchannels.Callback('run')"
    assert rows(group) == [
        {"step": 10, "epoch": 0, "train_loss": 1.0},
        {"step": 20, "epoch": 1, "train_loss": 0.5},
    ]


def test_lightning_with_batches(group):
    callback, trainer = Callback(group, batches=True), Lightning()
    trainer.callback_metrics, trainer.global_step = {"loss": Scalar(1.0)}, 7
    callback.on_train_batch_end(trainer, object(), {}, "batch", 0)
    assert rows(group) == [{"step": 7, "epoch": 0, "loss": 1.0}]


def test_hugging_face(group):
    callback = Callback(group)
    args, control = object(), object()
    state = types.SimpleNamespace(global_step=0)
    callback.on_init_end(args, state, control, model=None)
    callback.on_train_begin(args, state, control, model=None)
    for step in (10, 20):
        state.global_step = step
        callback.on_step_end(args, state, control)
        callback.on_log(args, state, control, logs={"loss": 1.0, "epoch": step / 20}, model=None)
    callback.on_epoch_end(args, state, control, model=None)
    callback.on_evaluate(args, state, control, metrics={"eval_loss": 0.5})
    callback.on_train_end(args, state, control)
    assert rows(group) == [
        {"step": 10, "loss": 1.0, "epoch": 0.5},
        {"step": 20, "loss": 1.0, "epoch": 1.0},
    ]


def test_xgboost(group):
    callback, model = Callback(group), object()
    assert callback.before_training(model) is model
    log = {"train": {"rmse": []}, "valid": {"rmse": []}}
    for epoch in range(2):
        assert callback.before_iteration(model, epoch, log) is False
        log["train"]["rmse"].append(1.0 - epoch)
        log["valid"]["rmse"].append((2.0, 0.1))
        assert callback.after_iteration(model, epoch, log) is False
    assert callback.after_training(model) is model
    assert rows(group) == [
        {"step": 0, "train/rmse": 1.0, "valid/rmse": 2.0},
        {"step": 1, "train/rmse": 0.0, "valid/rmse": 2.0},
    ]


def test_lightgbm(group):
    callback = Callback(group)
    assert not getattr(callback, "before_iteration", False)  # else it is called before only
    assert getattr(callback, "order", 0) == 0
    callback(
        types.SimpleNamespace(iteration=3, evaluation_result_list=[("valid", "l2", 0.5, False)])
    )
    callback(
        types.SimpleNamespace(iteration=4, evaluation_result_list=[("cv", "l2", 0.5, False, 0.1)])
    )
    assert rows(group) == [
        {"step": 3, "valid/l2": 0.5},
        {"step": 4, "cv/l2": 0.5, "cv/l2 deviation": 0.1},
    ]


def test_a_trainer_that_takes_only_its_own_class(group, monkeypatch):
    module = types.ModuleType("xgboost.callback")

    class TrainingCallback:
        def before_training(self, model):
            raise AssertionError("ours comes first")

    module.TrainingCallback = TrainingCallback
    monkeypatch.setitem(sys.modules, "xgboost.callback", module)
    callback = Callback(group)
    assert isinstance(callback, TrainingCallback)
    assert isinstance(callback, Callback)
    assert callback.before_training(5) == 5
    assert type(Callback(group)) is type(callback)
    assert repr(callback) == "<Callback of group 'run'>"


def test_what_cannot_be_logged_is_left_out_and_told_once(group, told):
    callback = Callback(group)
    for epoch in range(3):
        callback.on_epoch_end(epoch, {"loss": 1.0, "confusion": np.eye(2), "step": 5, "time": 6})
    assert rows(group)[0] == {
        "step": 0, "epoch": 0, "loss": 1.0, "trainer_step": 5, "trainer_time": 6,
    }  # fmt: skip
    ((kind, sentence),) = told()
    assert kind == "left-out"
    assert "Callback leaves 'confusion' out: log('run'): field 'confusion' is a ndarray" in sentence


def test_nothing_measured_is_no_row(group):
    callback = Callback(group)
    callback.on_log(None, None, None, logs=None)
    callback.after_iteration(None, 0, {})
    assert rows(group) == []


def test_a_training_does_not_die_of_its_callback(group, layer, told):
    callback = Callback(group)
    layer.fail = LayerUnavailable("no server")
    for epoch in range(3):
        callback.on_epoch_end(epoch, {"loss": 1.0})
    callback("no number", loss=1.0)
    callback.on_train_end()
    assert {kind for kind, _ in told()} == {"not-sent", "left-out"}
    with pytest.raises(InvalidName):
        Callback("my run")


def test_other_names_are_no_events(group):
    with pytest.raises(AttributeError, match="has no attribute 'losses'"):
        _ = Callback(group).losses


needs = {
    name: pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"no {name}")
    for name in ("xgboost", "lightgbm", "sklearn")
}
X = np.random.default_rng(0).normal(size=(200, 3))
Y = X[:, 0] * 2 + 1


@needs["xgboost"]
def test_real_xgboost(group):
    import xgboost  # noqa: PLC0415

    data = xgboost.DMatrix(X, Y)
    options = {"max_depth": 2, "eval_metric": "rmse"}
    xgboost.train(options, data, 5, evals=[(data, "train")], callbacks=[Callback(group)])
    found = rows(group)
    assert [row["step"] for row in found] == [0, 1, 2, 3, 4]
    assert found[-1]["train/rmse"] < found[0]["train/rmse"]


@needs["lightgbm"]
def test_real_lightgbm(group):
    import lightgbm  # noqa: PLC0415

    data = lightgbm.Dataset(X, Y)
    options = {"metric": "l2", "verbose": -1, "num_threads": 1}
    lightgbm.train(options, data, 5, valid_sets=[data], callbacks=[Callback(group)])
    found = rows(group)
    assert [row["step"] for row in found] == [0, 1, 2, 3, 4]
    assert found[-1]["training/l2"] < found[0]["training/l2"]


@needs["sklearn"]
def test_real_scikit_learn(group):
    from sklearn.neural_network import MLPRegressor  # noqa: PLC0415

    model, callback = MLPRegressor(random_state=0), Callback(group)
    for epoch in range(5):
        model.partial_fit(X, Y)
        callback(epoch, loss=model.loss_)
    found = rows(group)
    assert [row["step"] for row in found] == [0, 1, 2, 3, 4]
    assert found[-1]["loss"] < found[0]["loss"]
