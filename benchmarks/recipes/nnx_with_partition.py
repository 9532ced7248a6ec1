"""An nnx model whose embedding has an optimizer of its own, by the labels of a partition."""

import jax
import jax.numpy as jnp
import optax
import problem
from flax import nnx

import jaxlr


class Network(nnx.Module):
    def __init__(self):
        parameters = problem.parameters()
        self.embed, self.body, self.head = (nnx.data(jax.tree.map(nnx.Param, parameters[part])) for part in parameters)

    def __call__(self, inputs):
        values = jax.tree.map(lambda p: p[...], {"embed": self.embed, "body": self.body, "head": self.head},
                              is_leaf=lambda node: isinstance(node, nnx.Param))  # fmt: skip
        return problem.apply(values, inputs)


def labels(params):
    return jax.tree.map_with_path(lambda path, _: "embed" if "embed" in jax.tree_util.keystr(path) else "rest", params)


def loss(model, batch):
    return jnp.mean((model(batch[0]) - batch[1]) ** 2)


def with_optax(number):
    schedule = optax.linear_schedule(0.05, 0.005, number)
    parts = {"embed": optax.sgd(schedule, momentum=0.9), "rest": optax.adam(0.01)}
    model = Network()
    optimizer = nnx.Optimizer(model, optax.partition(parts, labels), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer, batch):
        rate = schedule(optimizer.step[...])
        value, gradients = nnx.value_and_grad(loss)(model, batch)
        optimizer.update(model, gradients)
        return rate, value

    return problem.trained(lambda model, o, batch: (model, o, *step(model, o, batch)), model, optimizer, number)


def with_jaxlr(number):
    schedule = jaxlr.linear(0.05, 0.005, number)
    parts = {"embed": jaxlr.sgd(schedule, momentum=0.9), "rest": jaxlr.adam(0.01)}
    model = Network()
    optimizer = nnx.Optimizer(model, optax.partition(parts, labels), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer, batch):
        value, gradients = nnx.value_and_grad(loss)(model, batch)
        optimizer.update(model, gradients)
        return jaxlr.learning_rates(optimizer)["embed"], value

    return problem.trained(lambda model, o, batch: (model, o, *step(model, o, batch)), model, optimizer, number)
