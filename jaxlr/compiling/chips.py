"""The devices that programs are compiled for: what their compilers must be told of them."""

from __future__ import annotations

from typing import NamedTuple

_GIB = 2**30


class Chip(NamedTuple):
    """One kind of device."""

    platform: str  # as jax names it
    memory: int  # bytes a device that a program may have; 0: what this machine has
    smallest: str  # the topology of one device
    description: str = ""  # of a GPU, in the words of XLA's `GpuTargetConfigProto`


# As cudaGetDeviceProperties tells them of an H100 SXM.
_H100 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: 2048
  shared_memory_per_block: 49152 shared_memory_per_core: 233472 shared_memory_per_block_optin: 232448
  core_count: 132 fpus_per_core: 128 clock_rate_ghz: 1.98
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000 l2_cache_size: 52428800 device_memory_size: 84942979072
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
  cuda_compute_capability { major: 9 }
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 10 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""

# The memory of a TPU is what libtpu says is there, in its message about a program that is too large.
CHIPS = {
    "v5e": Chip("tpu", int(15.75 * _GIB), "1x1"),
    "v5p": Chip("tpu", int(95.74 * _GIB), "1x1x1"),
    "v6e": Chip("tpu", int(31.25 * _GIB), "1x1"),
    "h100": Chip("cuda", 84_942_979_072, "1", _H100),
    "cpu": Chip("cpu", 0, "1"),
}
