r"""What is added to a loss: penalties and matching terms, as pure functions, and as terms that a GAN takes.

The functions are the papers' formulas without their weights, in float32 or wider, whatever the networks compute in. A
`Term` is such a formula with a weight, the player whose loss it joins and an interval: with ``every=k`` it is computed
at every k-th step of that player and counted k times (lazy regularisation, Karras et al. 2019, arXiv 1912.04958,
section 3.1).
"""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan_utils import checking
from gan_utils.losses import same_shape, wide
from gan_utils.runtime import keras, tf

_register = keras.saving.register_keras_serializable("gan_utils")
_Judge = Callable[[tf.Tensor], tf.Tensor]


def gradient_penalty(
    critic: _Judge, real: tf.Tensor, fake: tf.Tensor, alpha: tf.Tensor, *, target: float = 1.0
) -> tf.Tensor:
    r"""Return :math:`E[(\lVert\nabla f(\hat x)\rVert_2 - t)^2]` at :math:`\hat x = \alpha x + (1-\alpha)G(z)`.

    Args:
        critic: from samples (N, ...) to logits (N, ...).
        real: samples (N, ...).
        fake: samples of the same shape.
        alpha: (N, 1) in [0, 1], one number a sample.
        target: t; 1 in the paper.

    Returns:
        A scalar. The critic must treat samples one by one: no BatchNorm.

    Reference:
        Gulrajani et al. 2017, arXiv 1704.00028, equation 3.
    """
    same_shape("real and fake samples", real, fake)
    real, fake = wide(real, fake)
    alpha = tf.reshape(tf.cast(alpha, real.dtype), [-1] + [1] * (len(real.shape) - 1))
    squared = _squared_gradient_norm(critic, alpha * real + (1.0 - alpha) * fake)
    return tf.reduce_mean(tf.square(tf.sqrt(squared + 1e-12) - target))  # the root has no slope at 0


def zero_centred_penalty(discriminator: _Judge, samples: tf.Tensor) -> tf.Tensor:
    r"""Return :math:`\frac12 E[\lVert\nabla d(x)\rVert_2^2]`: R1 at real samples, R2 at generated ones.

    Args:
        discriminator: from samples (N, ...) to logits.
        samples: (N, ...).

    Reference:
        Mescheder, Geiger and Nowozin 2018, arXiv 1801.04406, equations 9 and 10 (their weight is gamma).
    """
    return 0.5 * tf.reduce_mean(_squared_gradient_norm(discriminator, samples))


def dragan_perturbation(real: tf.Tensor, uniform: tf.Tensor, *, scale: float = 0.5) -> tf.Tensor:
    r"""Return :math:`x + c\,\sigma\,u`, with sigma the standard deviation of the whole batch.

    Args:
        real: samples (N, ...).
        uniform: the same shape, in [0, 1].
        scale: c.

    Reference:
        Kodali et al. 2017, arXiv 1705.07215, section 2.3, and the authors' published settings (c = 0.5).
    """
    real = wide(real)
    return real + scale * tf.math.reduce_std(real) * tf.cast(uniform, real.dtype)


def feature_matching(real_features: tf.Tensor, fake_features: tf.Tensor) -> tf.Tensor:
    r"""Return :math:`\lVert E f(x) - E f(G(z))\rVert_2^2` of features (N, ...) of one layer.

    Reference:
        Salimans et al. 2016, arXiv 1606.03498, section 3.1.
    """
    real_features, fake_features = wide(real_features, fake_features)
    return tf.reduce_sum(tf.square(tf.reduce_mean(real_features, axis=0) - tf.reduce_mean(fake_features, axis=0)))


def l1(target: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
    r"""Return :math:`E\lvert y - G(\cdot)\rvert`, a mean over samples and elements.

    Raises:
        ValueError: for two shapes.

    Reference:
        Isola et al. 2016, arXiv 1611.07004, equation 3.
    """
    same_shape("target and output", target, output)
    target, output = wide(target, output)
    return tf.reduce_mean(tf.abs(target - output))


def _for_each(samples: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
    # packed samples are fewer than draws; where the number is static it must stay so, for XLA
    return draw[: tf.shape(samples)[0] if samples.shape[0] is None else samples.shape[0]]


def _squared_gradient_norm(judge: _Judge, samples: tf.Tensor) -> tf.Tensor:
    samples = wide(samples)
    with tf.GradientTape() as tape:
        tape.watch(samples)
        logits = judge(samples)
    gradient = tape.gradient(logits, samples)
    return tf.reduce_sum(tf.square(gradient), axis=list(range(1, len(samples.shape))))


@dataclass
class Outputs:
    """What a GAN computed in one move of one player; a `Term` reads from it what it needs.

    Attributes:
        real: real samples as the discriminator sees them (noised, packed); None where the move did not need them.
        fake: generated samples as the discriminator sees them (replayed, noised, packed).
        real_logits: the discriminator's answer to `real`, or None.
        fake_logits: the discriminator's answer to `fake`.
        generated: what the generator made of this move's latents, as it made it.
        batch: the data of this move, ``batch["real"]`` and what else was given to ``fit``.
        noise: all that was drawn for this move.
        draw: what `Term.sample` drew for this term.
        judge: the discriminator, as a function of samples only, with this move's conditions.
        discriminator: the discriminator's network.
        player: the name of the player whose move it is.
        made: what the generator returned besides samples, or None.
        told_of_real: what the discriminator returned besides the logits of `real`, or None.
        told_of_fake: likewise of `fake`.
        given_with_fake: as `batch`, with the conditions of `fake`, which differ where samples are replayed.
        model: the GAN.
    """

    real: tf.Tensor | None
    fake: tf.Tensor
    real_logits: tf.Tensor | None
    fake_logits: tf.Tensor
    generated: tf.Tensor
    batch: Mapping[str, tf.Tensor]
    noise: Mapping[str, tf.Tensor]
    judge: _Judge
    discriminator: keras.Model
    draw: Any = None
    player: str = ""
    made: Any = None
    told_of_real: Any = None
    told_of_fake: Any = None
    given_with_fake: Mapping[str, tf.Tensor] | None = None
    model: Any = None


class Term:
    """A formula that joins the loss of one player, or of both; subclass it and define ``__call__``.

    Args:
        weight: what the formula is multiplied with; or a Keras learning-rate schedule that gives it for a step.
        every: moves of the player between two evaluations; each counts that often.

    Raises:
        ValueError: for a negative weight or an interval below 1.
    """

    #: under which the mean of the unweighted formula is logged
    name = "term"
    #: the player whose loss it joins; or several names, for a formula that joins the losses of both
    player: str | tuple[str, ...] = "discriminator"
    #: whether it takes the place of that player's adversarial loss
    replaces_loss = False
    #: whether a move of the generator must prepare real samples for it (their logits are its own to compute)
    needs_real = True
    #: networks of its own, trained by `player`, the first of them if there are several
    networks: Sequence[keras.Model] = ()
    #: networks of its own that nobody trains, such as one whose features are compared
    frozen: Sequence[keras.Model] = ()

    def __init__(self, weight: Any = 1.0, *, every: int = 1) -> None:
        if not isinstance(weight, keras.optimizers.schedules.LearningRateSchedule):
            weight = checking.real("weight", weight, 0.0)
        self.weight, self.every = weight, checking.integer("every", every, 1)

    @property
    def players(self) -> tuple[str, ...]:
        """The names in `player`."""
        return (self.player,) if isinstance(self.player, str) else tuple(self.player)

    def sample(self, batch_size: int, shape: tuple[int, ...], seed: tf.Tensor) -> tf.Tensor | None:
        """Return the random numbers a move needs, (batch_size, ...), a function of the seed; None for none.

        Args:
            batch_size: samples a move.
            shape: of one sample as the discriminator sees it.
            seed: int64 (2,).
        """
        return None

    def attach(self, networks: Sequence[keras.Model]) -> None:
        """Prepare the networks of `player`; called once when a GAN is made."""

    def __call__(self, outputs: Outputs) -> tf.Tensor:
        """Return the unweighted scalar."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(outputs).")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal term, from the attributes of their names; networks are among them.

        Raises:
            NotImplementedError: where an argument has no such attribute; define get_config then.
        """
        parameters = inspect.signature(type(self).__init__).parameters.values()
        named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)][1:]
        if missing := [name for name in named if not hasattr(self, name)]:
            raise NotImplementedError(
                f"{type(self).__name__} has no attribute {missing[0]} that its constructor could be given again; keep "
                "each argument under its name, or define get_config."
            )
        return {name: keras.saving.serialize_keras_object(getattr(self, name)) for name in named}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Term":
        """Make a term from `get_config`'s arguments; what Keras has written as a dict is made again."""
        written = {name: value for name, value in config.items() if isinstance(value, dict)}
        made = {n: keras.saving.deserialize_keras_object(value, safe_mode=True) for n, value in written.items()}
        return cls(**{**config, **made})


@_register
class GradientPenalty(Term):
    """WGAN-GP's penalty, `gradient_penalty`; weight 10 in the paper."""

    name = "gradient_penalty"

    def __init__(self, weight: float = 10.0, *, target: float = 1.0, every: int = 1) -> None:
        super().__init__(weight, every=every)
        self.target = checking.real("target", target, 0.0)

    def sample(self, batch_size: int, shape: tuple[int, ...], seed: tf.Tensor) -> tf.Tensor:
        """Return alpha, (batch_size, 1), uniform in [0, 1)."""
        return tf.random.stateless_uniform((batch_size, 1), seed)

    def __call__(self, outputs: Outputs) -> tf.Tensor:
        """Return the penalty between this move's real and fake samples."""
        alpha = _for_each(outputs.real, outputs.draw)
        return gradient_penalty(outputs.judge, outputs.real, outputs.fake, alpha, target=self.target)


@_register
class R1(Term):
    """`zero_centred_penalty` at real samples; weight is the paper's gamma (10 there; 0.1 to 10 usual)."""

    name = "r1"

    def __call__(self, outputs: Outputs) -> tf.Tensor:
        """Return the penalty at this move's real samples."""
        return zero_centred_penalty(outputs.judge, outputs.real)


@_register
class R2(Term):
    """`zero_centred_penalty` at generated samples; weight is the paper's gamma."""

    name = "r2"

    def __call__(self, outputs: Outputs) -> tf.Tensor:
        """Return the penalty at this move's fake samples."""
        return zero_centred_penalty(outputs.judge, outputs.fake)


@_register
class DRAGAN(Term):
    """DRAGAN's penalty: `gradient_penalty` between real samples and their `dragan_perturbation`; weight 10."""

    name = "dragan"

    def __init__(self, weight: float = 10.0, *, scale: float = 0.5, every: int = 1) -> None:
        super().__init__(weight, every=every)
        self.scale = checking.real("scale", scale, 0.0)

    def sample(self, batch_size: int, shape: tuple[int, ...], seed: tf.Tensor) -> tf.Tensor:
        """Return uniform numbers (batch_size, elements of a sample + 1); the last column is alpha."""
        if None in shape:
            raise ValueError(f"DRAGAN moves samples of one size, not {shape}; expected networks of a fixed size.")
        size = math.prod(shape)
        return tf.random.stateless_uniform((batch_size, size + 1), seed)

    def __call__(self, outputs: Outputs) -> tf.Tensor:
        """Return the penalty around this move's real samples."""
        draw = _for_each(outputs.real, outputs.draw)
        uniform = tf.reshape(draw[:, :-1], tf.shape(outputs.real))
        perturbed = dragan_perturbation(outputs.real, uniform, scale=self.scale)
        return gradient_penalty(outputs.judge, outputs.real, perturbed, draw[:, -1:])


@_register
class FeatureMatching(Term):
    """`feature_matching` on one layer of a functional discriminator, for the generator.

    Args:
        layer: name or index of the discriminator's layer; -2 is the one before the logit.
        weight: what the formula is multiplied with.
        replaces_loss: whether it takes the place of the generator's adversarial loss, as in the paper.
        every: as in `Term`.
    """

    name = "feature_matching"
    player = "generator"

    def __init__(
        self, layer: str | int = -2, weight: float = 1.0, *, replaces_loss: bool = True, every: int = 1
    ) -> None:
        super().__init__(weight, every=every)
        self.layer, self.replaces_loss = layer, replaces_loss
        self._features: tuple[int, keras.Model] | None = None

    def __call__(self, outputs: Outputs) -> tf.Tensor:
        """Return the distance of the batches' mean features."""
        network = outputs.discriminator
        if not getattr(network, "inputs", None):
            raise ValueError(
                f"the discriminator {network.name!r} is neither functional nor sequential; expected one of the two, "
                "so that its layers have outputs to match."
            )
        if self._features is None or self._features[0] != id(network):
            get = {"name": self.layer} if isinstance(self.layer, str) else {"index": self.layer}
            self._features = id(network), keras.Model(network.inputs, network.get_layer(**get).output)
        features, seen = self._features[1], outputs.model.seen
        real, fake = seen(outputs.real, outputs.batch), seen(outputs.fake, outputs.given_with_fake)
        return feature_matching(features(real, training=True), features(fake, training=True))


@_register
class L1(Term):
    """`l1` between the generator's output and ``batch[target]``, for the generator; weight 100 in pix2pix."""

    name = "l1"
    player = "generator"
    needs_real = False

    def __init__(self, weight: float = 100.0, *, target: str = "target", every: int = 1) -> None:
        super().__init__(weight, every=every)
        self.target = target

    def __call__(self, outputs: Outputs) -> tf.Tensor:
        """Return the mean absolute difference."""
        if self.target not in outputs.batch:
            raise ValueError(
                f"L1 compares with batch[{self.target!r}], the data have {sorted(outputs.batch)}; "
                f"give fit a dict with {self.target!r}, or L1(target=...)."
            )
        return l1(outputs.batch[self.target], outputs.generated)


@_register
class AuxiliaryClassifier(Term):
    r"""The cross-entropy of class logits, the discriminator's second output, for both players.

    The discriminator's move adds :math:`-E\log p(c|x) - E\log p(c|G(z, c))`, the generator's the second part.

    Args:
        weight: what the formula is multiplied with.
        label: the entry of the data with the classes, integers (N,).
        every: as in `Term`.

    Reference:
        Odena, Olah and Shlens 2017, arXiv 1610.09585, equation 3.
    """

    name = "auxiliary_classifier"
    player = ("discriminator", "generator")
    needs_real = False

    def __init__(self, weight: Any = 1.0, *, label: str = "label", every: int = 1) -> None:
        super().__init__(weight, every=every)
        self.label = label

    def __call__(self, outputs: Outputs) -> tf.Tensor:
        """Return the mean cross-entropy of generated samples, and in the discriminator's move of real ones besides."""
        if outputs.told_of_fake is None:
            raise ValueError("the discriminator has one output; expected [logits, class logits (N, classes)].")
        given = outputs.given_with_fake or outputs.batch
        total = _cross_entropy(given[self.label], outputs.told_of_fake)
        if outputs.player == "discriminator":
            total += _cross_entropy(outputs.batch[self.label], outputs.told_of_real)
        return total


def _cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, wide(logits)))


@_register
class LabelSmoothing(Term):
    r"""One-sided label smoothing: the real label is :math:`1 - \epsilon` in the cross-entropy, the fake one stays 0.

    With a logit a, :math:`-(1-\epsilon)\log\sigma(a) - \epsilon\log(1-\sigma(a)) = -\log\sigma(a) + \epsilon a`, so
    smoothing is a term, :math:`\epsilon\,E[a(x)]`, and the weight is epsilon. It is meant for the cross-entropy losses
    (minimax, non-saturating). At p_g = p_data the best discriminator says :math:`(1-\epsilon)/2`.

    Reference:
        Salimans et al. 2016, arXiv 1606.03498, section 3.4 (epsilon = 0.1).
    """

    name = "label_smoothing"

    def __init__(self, weight: float = 0.1, *, every: int = 1) -> None:
        super().__init__(weight, every=every)

    def __call__(self, outputs: Outputs) -> tf.Tensor:
        """Return the mean real logit."""
        return tf.reduce_mean(wide(outputs.real_logits))


@_register
class WeightClipping(Term):
    """Keep every weight of the player in [-limit, limit] after each of its updates; adds nothing to the loss.

    Usable alone: ``WeightClipping(0.01).attach([critic])`` and any Keras optimizer.

    Args:
        limit: 0.01 in the paper.
        player: whose weights.

    Raises:
        ValueError: unless limit > 0.

    Reference:
        Arjovsky, Chintala and Bottou 2017, arXiv 1701.07875, algorithm 1.
    """

    name = "weight_clipping"

    def __init__(self, limit: float = 0.01, *, player: str = "discriminator") -> None:
        super().__init__(0.0)
        self.limit, self.player = checking.real("limit", limit, above=0.0, mend="For example 0.01."), player

    def attach(self, networks: Sequence[keras.Model]) -> None:
        """Give every trainable variable the constraint, which Keras's optimizers apply after an update."""
        for network in networks:
            for variable in network.trainable_variables:
                variable.constraint = self._clip

    def _clip(self, value: tf.Tensor) -> tf.Tensor:
        return keras.ops.clip(value, -self.limit, self.limit)
