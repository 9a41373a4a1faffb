"""Weights, averages and optimizer state shared out among processes, for networks that one GPU cannot hold (FSDP).

Apart from `train_processes` because all of it rests on one part of torch that plain runs do without. Checkpoints do not
depend on it: they hold whole tensors, so that a run can be resumed on another number of processes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sdm_lite.train.config import TrainConfig
from sdm_lite.train.resume import Run, load_optimizer, make_optimizer
from sdm_lite.unet import SDMUNet


def shard_network(network: SDMUNet, device: torch.device) -> None:
    """Share a network's weights out, in place: each SPADE and each stage is gathered when it is needed, and let go.

    A SPADE is a unit of its own because its `modulation` is called outside of its stage.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    for parameter in network.parameters():
        parameter.data = parameter.data.contiguous()  # what is cut into shares must lie in one piece
    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    for spade in network.spades():
        fully_shard(spade, mesh=mesh)
        register_fsdp_forward_method(spade, "modulation")
    for stage in [*network.encoder, *network.middle, *network.decoder]:
        if next(stage.parameters(), None) is not None:
            fully_shard(stage, mesh=mesh)
    fully_shard(network, mesh=mesh)


def shard_run(run: Run, config: TrainConfig, device: torch.device) -> Run:
    """A run whose network and averages are shared out in place, with an optimizer over the shares."""
    from torch.distributed.tensor import distribute_tensor

    state = run.optimizer.state_dict()
    for network in (run.unet, run.ema):
        shard_network(network, device)
    optimizer = make_optimizer(run.unet, config)
    fresh = optimizer.state_dict()
    for index, parameter in enumerate(run.unet.parameters()):
        fresh["state"][index] = {
            name: distribute_tensor(value.to(device), parameter.device_mesh, parameter.placements)
            if value.ndim
            else value
            for name, value in state["state"].get(index, {}).items()
        }
    fresh["state"] = {index: moments for index, moments in fresh["state"].items() if moments}
    load_optimizer(optimizer, fresh)
    return run._replace(optimizer=optimizer)


def gather(state: object) -> object:
    """A state dict with whole tensors on the CPU in place of shares; every process must call it, in the same order."""
    if isinstance(state, dict):
        return {name: gather(value) for name, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(gather(value) for value in state)
    if isinstance(state, Tensor) and hasattr(state, "full_tensor"):
        return state.full_tensor().cpu()
    return state
