"""Families beyond the plain GAN: each is an override or a term, none a loop."""

import numpy as np
import pytest

from gan_utils import runtime, terms, training
from gan_utils.networks import toy
from gan_utils.runtime import keras, tf

layers = keras.layers
RANDOM = np.random.default_rng(0)


def changed(network, before):
    return any(not np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))


def adam(rate=3e-3):
    return keras.optimizers.Adam(rate, beta_1=0.5)


class ConditionalGAN(training.GAN):
    """Mirza and Osindero 2014, arXiv 1411.1784: both networks are told the label."""

    def make(self, noise, batch, training=True):
        return self.generator([noise["latents"], batch["label"]], training=training)

    def judge(self, samples, batch):
        return self.discriminator([samples, batch["label"]], training=True)


def with_label(network_of, size):
    values, label = keras.Input((size,)), keras.Input((2,))
    return keras.Model([values, label], network_of(layers.Concatenate()([values, label])))


def test_a_conditional_gan_is_an_override_of_make_and_judge():
    runtime.set_seed(0)
    generator = with_label(toy.generator(4, widths=(32,)), 2)
    discriminator = with_label(toy.discriminator(4, widths=(32,)), 2)
    gan = ConditionalGAN(generator, discriminator, latent_dim=2)
    gan.compile(generator_optimizer=adam(), discriminator_optimizer=adam())
    label = np.eye(2, dtype="float32")[RANDOM.integers(0, 2, 1000)]
    real = (label @ np.array([[3.0, 0.0], [-3.0, 0.0]]) + 0.3 * RANDOM.normal(size=(1000, 2))).astype("float32")
    gan.fit({"real": real, "label": label}, batch_size=64, steps_per_epoch=500, verbose=0)
    latents = RANDOM.normal(size=(200, 2)).astype("float32")
    means = [np.mean(generator([latents, np.tile(row, (200, 1))]), axis=0)[0] for row in np.eye(2, dtype="float32")]
    assert means[0] > 1.5 and means[1] < -1.5


class MutualInformation(terms.Term):
    """Chen et al. 2016, arXiv 1606.03657, equation 5: minus the bound, up to the code's entropy."""

    name, player, needs_real = "mutual_information", "generator", False

    def __init__(self, body, head, weight=1.0):
        super().__init__(weight)
        self.body, self.networks = body, [head]  # the body is the discriminator's, the head the generator's to train

    def __call__(self, outputs):
        logits = self.networks[0](self.body(outputs.fake, training=True), training=True)
        code = outputs.noise["latents"][:, :3]
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(code, logits))


class InfoGAN(training.GAN):
    def sample_noise(self, batch_size, seed):
        noise = super().sample_noise(batch_size, seed)
        code = tf.one_hot(tf.random.stateless_uniform((batch_size,), seed + 1, 0, 3, tf.int32), 3)
        return {**noise, "latents": tf.concat([code, noise["latents"][:, 3:]], axis=1)}


def test_an_infogan_is_a_third_head_on_a_shared_body_and_a_term():
    runtime.set_seed(0)
    body = keras.Sequential([keras.Input((2,)), layers.Dense(64, "relu"), layers.Dense(64, "relu")])
    head = keras.Sequential([keras.Input((64,)), layers.Dense(3)])
    discriminator = keras.Sequential([body, layers.Dense(1)])
    gan = InfoGAN(toy.generator(5, widths=(64, 64)), discriminator, terms=[MutualInformation(body, head)])
    gan.compile(generator_optimizer=adam(1e-3), discriminator_optimizer=adam(1e-3))
    before = head.get_weights()
    centres = np.array([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])
    real = (centres[RANDOM.integers(0, 3, 2000)] + 0.1 * RANDOM.normal(size=(2000, 2))).astype("float32")
    history = gan.fit(real, batch_size=64, steps_per_epoch=300, epochs=3, verbose=0).history
    assert changed(head, before)
    assert history["mutual_information"][-1] < 0.3 < history["mutual_information"][0]  # log 3 for an ignored code
    code = np.repeat(np.eye(3, dtype="float32"), 100, axis=0)
    points = np.asarray(gan.generator(np.concatenate([code, RANDOM.normal(size=(300, 2))], 1).astype("float32")))
    means = points.reshape(3, 100, 2).mean(axis=1)
    assert min(np.linalg.norm(means[i] - means[j]) for i, j in ((0, 1), (0, 2), (1, 2))) > 0.7


class CycleGAN(training.Adversarial):
    """Zhu et al. 2017, arXiv 1703.10593, with two generators, two discriminators and the cycle term (weight 1)."""

    reports = ("cycle",)

    def __init__(self, **networks):
        players = [training.Player(name, [network]) for name, network in networks.items() if name != "generators"]
        generators = networks["generators"]
        super().__init__([*players, training.Player("generators", list(generators))])
        (self.to_b, self.to_a), self.judge_a, self.judge_b = generators, networks["judge_a"], networks["judge_b"]

    def losses(self, player, batch, noise):
        a, b = batch["real"], batch["target"]
        fake_a, fake_b = self.to_a(b, training=True), self.to_b(a, training=True)
        square = lambda logits, goal: tf.reduce_mean(tf.square(logits - goal))  # noqa: E731  least squares, as there
        if player.name == "judge_a":
            return {"adversarial": square(self.judge_a(a), 1.0) + square(self.judge_a(fake_a), 0.0)}
        if player.name == "judge_b":
            return {"adversarial": square(self.judge_b(b), 1.0) + square(self.judge_b(fake_b), 0.0)}
        cycle = terms.l1(a, self.to_a(fake_b, training=True)) + terms.l1(b, self.to_b(fake_a, training=True))
        self.report("cycle", cycle)
        return {
            "to_a": square(self.judge_a(fake_a), 1.0),
            "to_b": square(self.judge_b(fake_b), 1.0),
            "cycle": cycle,
        }


def test_a_toy_cyclegan_has_four_networks_three_players_and_no_loop_of_its_own():
    runtime.set_seed(0)
    gan = CycleGAN(
        judge_a=toy.discriminator(widths=(64,)),
        judge_b=toy.discriminator(widths=(64,)),
        generators=(toy.generator(widths=(64,)), toy.generator(widths=(64,))),
    )
    gan.compile(**{f"{player.name}_optimizer": adam(1e-3) for player in gan.players})
    a = RANDOM.normal(size=(2000, 2)).astype("float32") * 0.5
    b = RANDOM.normal(size=(2000, 2)).astype("float32") * 0.5 + np.array([3.0, 1.0], "float32")  # unpaired
    history = gan.fit({"real": a, "target": b}, batch_size=64, steps_per_epoch=50, epochs=40, verbose=0).history
    assert set(history) == {"judge_a_loss", "judge_b_loss", "generators_loss", "cycle"}
    assert history["cycle"][-1] < 0.25 * history["cycle"][0]
    assert np.abs(np.mean(gan.to_b(a), axis=0) - [3.0, 1.0]).max() < 0.7
    assert np.abs(np.asarray(gan.to_a(gan.to_b(a))) - a).mean() < 0.3


def test_a_player_of_a_family_moves_its_own_networks_only():
    gan = CycleGAN(
        judge_a=toy.discriminator(), judge_b=toy.discriminator(), generators=(toy.generator(), toy.generator())
    )
    gan.compile()
    networks = {"judge_a": [gan.judge_a], "judge_b": [gan.judge_b], "generators": [gan.to_a, gan.to_b]}
    batch = {name: tf.constant(RANDOM.normal(size=(8, 2)), tf.float32) for name in ("real", "target")}
    for player in gan.players:
        before = {id(n): [w.copy() for w in n.get_weights()] for own in networks.values() for n in own}
        gan._move(player, batch, tf.zeros((8, 0)))
        moved = {name for name, own in networks.items() if any(changed(n, before[id(n)]) for n in own)}
        assert moved == {player.name}


def test_two_players_cannot_share_a_weight():
    network = toy.generator()
    with pytest.raises(ValueError, match="share trainable variables"):
        training.Adversarial([training.Player("one", [network]), training.Player("two", [network])])
