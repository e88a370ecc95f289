"""``Callback``: what a trainer measures, to a group.

No trainer is imported. Each tells a callback in its own way, and some by the same method with other
arguments: what comes tells who calls.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nbchannels.bridges.logs import Rows, _known, flush
from nbchannels.bridges.rows import checked
from nbchannels.channel import Group
from nbchannels.exceptions import ChannelsError, EncodingError

__all__ = ["Callback"]

#: Methods that trainers call by these beginnings, and that have nothing to measure for us.
_EVENTS = ("on_", "before_", "after_")
#: Trainers that take only instances of their own class, and where they keep it.
_BASES = (("xgboost.callback", "TrainingCallback"), ("lightning.pytorch.callbacks", "Callback"))


class _NotBefore:
    """A method that does nothing, and is false."""

    def __call__(self, *args: Any) -> bool:
        return False

    def __bool__(self) -> bool:
        return False


class Callback:
    """Logs what a trainer measures, a row for each report of it, as `log` does.

    ::

        model.fit(x, y, callbacks=[nb.Callback("run")])                  # Keras
        Trainer(callbacks=[nb.Callback("run")])                          # Lightning, Hugging Face
        xgboost.train(..., callbacks=[nb.Callback("run")])               # XGBoost
        lightgbm.train(..., callbacks=[nb.Callback("run")])              # LightGBM
        for epoch in range(100):
            model.partial_fit(x, y)
            callback(epoch, loss=model.loss_)                            # any other loop

    The rows have ``step`` (the step of the trainer; else its epoch or iteration, else counted) and
    the measured values by their names, ``epoch`` among them where the trainer tells it; those of
    several data sets as ``validation/logloss``. Values that are no single number or text are left
    out, and told once. A training does not fail because its values cannot be sent: that is told.

    Tried with XGBoost 3.2, LightGBM 4.7 and scikit-learn 1.9; Keras, Lightning and Hugging Face
    only with stand-ins of their documented signatures.

    Args:
        group: its name, or a `Group`.
        batches: whether a row is logged for each batch, too, where the trainer tells of batches.

    Raises:
        InvalidName: the group's name is of bad form.
    """

    #: What Keras and Lightning look at, and set.
    params: Any = None
    model: Any = None
    #: XGBoost calls it, and goes on; LightGBM asks whether it is true, and would call us too early.
    before_iteration = _NotBefore()

    def __new__(cls, *args: Any, **kwargs: Any) -> "Callback":
        """An instance also of the callback classes that are loaded, where a trainer insists."""
        bases = tuple(found for found in map(_loaded, _BASES) if found is not None)
        if not bases or issubclass(cls, bases):
            return super().__new__(cls)
        made: Callback = super().__new__(_with(cls, bases))
        return made

    def __init__(self, group: str | Group, /, *, batches: bool = False) -> None:
        self._rows: Rows = _known.of(group)
        self.batches = batches
        self._left_out: set[str] = set()
        self._steps = 0

    @property
    def group(self) -> Group:
        """That it logs to."""
        return self._rows.group

    # Any loop; LightGBM.

    def __call__(self, step: Any = None, values: Any = None, /, **fields: Any) -> None:
        """Log a row: ``callback(epoch, loss=0.3)``, ``callback({"loss": 0.3})``.

        LightGBM calls it with its environment.
        """
        if hasattr(step, "evaluation_result_list"):
            self._put(step.iteration, _evaluated(step.evaluation_result_list or ()))
            return
        if values is None and isinstance(step, Mapping):
            step, values = None, step
        self._put(step, {**(values or {}), **fields})

    # XGBoost.

    def before_training(self, model: Any) -> Any:
        """XGBoost begins; gives its model back."""
        return model

    def after_training(self, model: Any) -> Any:
        """XGBoost has ended; gives its model back."""
        self._flush()
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """XGBoost has measured: ``{data: {metric: [values]}}``; it goes on."""
        self._put(
            epoch,
            {
                f"{data}/{metric}": _mean(history[-1])
                for data, metrics in (evals_log or {}).items()
                for metric, history in metrics.items()
                if history
            },
        )
        return False

    # Hugging Face.

    def on_log(
        self, args: Any, state: Any = None, control: Any = None, logs: Any = None, **kwargs: Any
    ) -> None:
        """Hugging Face's trainer has measured."""
        self._put(getattr(state, "global_step", None), dict(logs or {}))

    # Keras, and Lightning by the same names with other arguments.

    def on_epoch_end(self, epoch: Any, logs: Any = None, *args: Any, **kwargs: Any) -> None:
        """Keras has measured an epoch."""
        if isinstance(logs, Mapping) and not args:
            self._put(epoch, {"epoch": epoch, **logs})

    def on_train_batch_end(self, batch: Any, logs: Any = None, *args: Any, **kwargs: Any) -> None:
        """Keras has measured a batch; Lightning has: ``(trainer, module, outputs, …)``."""
        if not self.batches:
            return
        if hasattr(batch, "callback_metrics"):
            self._of_lightning(batch)
        elif isinstance(logs, Mapping):  # batches begin at 0 with each epoch
            self._put(self._counted(), {"batch": batch, **logs})

    def on_train_epoch_end(self, trainer: Any, *args: Any, **kwargs: Any) -> None:
        """Lightning has measured an epoch."""
        self._of_lightning(trainer)

    def on_validation_end(self, trainer: Any, *args: Any, **kwargs: Any) -> None:
        """Lightning has validated; a check before the training is not measured."""
        if not getattr(trainer, "sanity_checking", False):
            self._of_lightning(trainer)

    def on_train_end(self, *args: Any, **kwargs: Any) -> None:
        """The training has ended: what waits is sent."""
        self._flush()

    def set_params(self, params: Any) -> None:
        """Keras says how it trains."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Keras says what it trains."""
        self.model = model

    @property
    def state_key(self) -> str:
        """Lightning's name for its state, of which there is none."""
        return f"nbchannels.Callback({self.group.name!r})"

    def state_dict(self) -> dict[str, Any]:
        """Lightning asks what to save: nothing."""
        return {}

    def load_state_dict(self, state_dict: Any) -> None:
        """Lightning brings back what it saved: nothing."""

    def setup(self, *args: Any, **kwargs: Any) -> None:
        """Lightning begins."""

    def teardown(self, *args: Any, **kwargs: Any) -> None:
        """Lightning has ended: what waits is sent."""
        self._flush()

    def __getattr__(self, name: str) -> Callable[..., None]:
        """All other events of all trainers: there is nothing to measure in them."""
        if name.startswith(_EVENTS):
            return _nothing
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"<Callback of group {self._rows.group.name!r}>"

    # Inside.

    def _of_lightning(self, trainer: Any) -> None:
        metrics = getattr(trainer, "callback_metrics", None)
        if isinstance(metrics, Mapping) and metrics:
            epoch = getattr(trainer, "current_epoch", None)
            fields = {} if epoch is None else {"epoch": epoch}
            self._put(getattr(trainer, "global_step", None), {**fields, **metrics})

    def _counted(self) -> int:
        self._steps += 1
        return self._steps - 1

    def _put(self, step: Any, fields: Mapping[Any, Any]) -> None:
        """Log what can be logged of it."""
        name = self._rows.group.name
        found: dict[str, Any] = {}
        for key, value in fields.items():
            try:
                found[str(key)] = checked(str(key), value, name)
            except EncodingError as error:
                if str(key) not in self._left_out:
                    self._left_out.add(str(key))
                    self._rows.tell("left-out", f"Callback leaves {key!r} out: {error}")
        # Names that `log` gives a meaning of its own.
        renamed = {_RENAMED.get(key, key): value for key, value in found.items()}
        if not renamed:
            return
        if step is not None:
            renamed["step"] = step
        try:
            self._rows.add(renamed)
        except EncodingError as error:  # a step that is no number
            self._rows.tell("left-out", f"Callback leaves a row out: {error}")
        except ChannelsError as error:
            self._rows.tell("not-sent", f"Callback: {error}")

    def _flush(self) -> None:
        try:
            flush(self.group)
        except ChannelsError as error:
            self._rows.tell("not-sent", f"at the end of the training: {error}")


_RENAMED = {"step": "trainer_step", "time": "trainer_time"}


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


def _evaluated(results: Iterable[Any]) -> dict[str, Any]:
    """LightGBM's list of ``(data, metric, value, higher is better, …)``; ``cv``: deviations."""
    found: dict[str, Any] = {}
    for data, metric, value, *more in results:
        found[f"{data}/{metric}"] = value
        if len(more) > 1:
            found[f"{data}/{metric} deviation"] = more[1]
    return found


def _mean(value: Any) -> Any:
    """XGBoost's ``cv`` tells ``(mean, deviation)``."""
    return value[0] if isinstance(value, tuple) and value else value


def _loaded(base: tuple[str, str]) -> type | None:
    module, name = base
    found = getattr(sys.modules.get(module), name, None)
    return found if isinstance(found, type) else None


_made: dict[tuple[type, ...], type] = {}


def _with(cls: type, bases: tuple[type, ...]) -> Any:
    """The class that is also each of these."""
    key = (cls, *bases)
    if key not in _made:
        _made[key] = type(cls.__name__, key, {"__module__": cls.__module__, "__doc__": cls.__doc__})
    return _made[key]
