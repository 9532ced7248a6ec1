#!/bin/bash
# A decoder of 1.3 billion parameters on eight accelerators; the trainer's own words, and this site's variables.
set -euo pipefail

NNODES=${SLURM_NNODES:-1}
GPUS_PER_NODE=8
DATA_PATH=$1
CHECKPOINTS="${2:-/scratch/gpt}"
LR=${LR:-2.0e-4}
GLOBAL_BATCH=512

MODEL_ARGS=(
    --num-layers 24 --hidden-size 2048
    --num-attention-heads 16
    --seq-length 2048 --max-position-embeddings 2048
)

TRAINING_ARGS=(
    --micro-batch-size 4
    --global-batch-size $GLOBAL_BATCH
    --train-iters 40000
    --lr $LR                      # the site's default
    --min-lr 2.0e-5
    --lr-decay-style cosine
    --lr-warmup-fraction .00251   # 95.38 updates
    --lr-decay-iters 38000
    --weight-decay 0.1
    --adam-beta1 0.9 --adam-beta2 0.95
    --clip-grad 1.0
    --bf16
)

torchrun --nproc_per_node $GPUS_PER_NODE --nnodes "$NNODES" pretrain_gpt.py \
    "${MODEL_ARGS[@]}" "${TRAINING_ARGS[@]}" \
    --data-path "$DATA_PATH" --split 99,1,0 \
    --save $CHECKPOINTS --save-interval 1000 --eval-iters 10
