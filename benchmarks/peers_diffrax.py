"""diffrax on the antibody task: one vmapped solve, 64-bit, on one thread."""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np

from benchmarks import antibody
from benchmarks.antibody import START, AntibodyTask
from benchmarks.peers import ABSOLUTE, Floats, Solve

# XLA reads these when it starts
_ONE_THREAD = {"NPROC": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "JAX_PLATFORMS": "cpu"}


def solver(task: AntibodyTask) -> Solve:
    """Tsit5 with a step-size controller that knows when the infusion rate jumps.

    Explicit, because the system is mildly stiff only: Kvaerno5 took 4 to 10 times longer at equal error.
    """
    for name, value in _ONE_THREAD.items():
        os.environ.setdefault(name, value)
    jax: Any = importlib.import_module("jax")
    diffrax: Any = importlib.import_module("diffrax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    begins = jnp.asarray(task.edges[:-1][task.running])
    ends = jnp.asarray(task.edges[1:][task.running])
    jumps = jnp.asarray(task.edges[1:-1])
    days = jnp.asarray(task.days)

    def rhs(t: Any, y: Any, args: Any) -> Any:
        p, rate = args
        on = jnp.any((t >= begins) & (t < ends))
        return jnp.stack(antibody.slopes(y, p, jnp.where(on, rate, 0.0), jnp.sqrt, jnp.where))

    def one(p: Any, rate: Any, rtol: Any) -> Any:
        control = diffrax.PIDController(rtol=rtol, atol=ABSOLUTE * rtol)
        found = diffrax.diffeqsolve(
            diffrax.ODETerm(rhs),
            diffrax.Tsit5(),
            t0=0.0,
            t1=float(task.edges[-1]),
            dt0=1e-3,
            y0=jnp.asarray(START),
            args=(p, rate),
            saveat=diffrax.SaveAt(ts=days),
            stepsize_controller=diffrax.ClipStepSizeController(control, jump_ts=jumps),
            max_steps=100_000,
        )
        return found.ys

    everybody = jax.jit(jax.vmap(one, in_axes=(0, 0, None)))
    parameters, rate = jnp.asarray(task.parameters), jnp.asarray(task.rate)

    def solve(rtol: float) -> Floats:
        return task.observe(np.asarray(everybody(parameters, rate, rtol)))

    return solve
