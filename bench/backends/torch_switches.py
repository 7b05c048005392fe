"""The switches by which PyTorch may compute fp32 in less: set, and read back."""

from __future__ import annotations


def set_precision(tf32: bool) -> None:
    """Switch every reduced-precision shortcut off, or TF32 on CUDA on.

    CUDA convolutions are TF32 by default, and products of fp16 and bf16 may add up in them. The older ``allow_tf32``
    flags are set first, to the same: torch 2.13 has parts that ask for them (``torch.export``), and raises where the
    two ways disagree.
    """
    import torch

    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    cuda = "tf32" if tf32 else "ieee"
    torch.backends.cuda.matmul.fp32_precision = cuda
    torch.backends.cudnn.conv.fp32_precision = cuda
    torch.backends.cudnn.rnn.fp32_precision = cuda
    torch.backends.mkldnn.matmul.fp32_precision = "ieee"
    torch.backends.mkldnn.conv.fp32_precision = "ieee"


def precision_switches() -> dict[str, object]:
    """Return the state of every switch by which torch may compute fp32 in less."""
    import torch

    return {
        "cuda.matmul.fp32_precision": torch.backends.cuda.matmul.fp32_precision,
        "cuda.conv.fp32_precision": torch.backends.cudnn.conv.fp32_precision,
        "cpu.matmul.fp32_precision": torch.backends.mkldnn.matmul.fp32_precision,
        "cpu.conv.fp32_precision": torch.backends.mkldnn.conv.fp32_precision,
        "cudnn.benchmark": torch.backends.cudnn.benchmark,
        "fp16 adds up in fp16": torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction,
        "bf16 adds up in bf16": torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction,
    }
