"""A Keras model trained by `fit`, its rate from a schedule of the update count."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax.numpy as jnp
import keras
import numpy as np
import optax
import problem

import jaxlr


class Rate(keras.optimizers.schedules.LearningRateSchedule):
    """Any function of the count."""

    def __init__(self, schedule):
        self.schedule = schedule

    def __call__(self, step):
        return self.schedule(jnp.asarray(step, jnp.int32))


class Log(keras.callbacks.Callback):
    """The rate and the loss of each update."""

    def __init__(self):
        self.rates, self.losses = [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(float(logs["loss"]))


def fitted(schedule, number):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(16, "tanh"), keras.layers.Dense(16, "tanh"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((8,)), *layers])
    model.compile(keras.optimizers.SGD(Rate(schedule), momentum=0.9), loss="mse")
    inputs, targets = (np.concatenate(np.asarray(each)) for each in problem.batches(number))
    log = Log()
    model.fit(inputs, targets, batch_size=32, shuffle=False, verbose=0, callbacks=[log])
    return np.array(log.rates), np.array(log.losses)


def with_optax(number):
    return fitted(optax.cosine_decay_schedule(0.05, number), number)


def with_jaxlr(number):
    return fitted(jaxlr.cosine(0.05, number), number)
