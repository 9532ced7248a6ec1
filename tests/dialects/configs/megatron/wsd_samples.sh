#!/bin/sh
# Warm-up, plateau and a short fall, everything in samples, with a batch size that grows.
OPTIONS=" \
    --train-samples 1200000 \
    --lr-decay-samples 1100000 \
    --lr-warmup-samples 50001 \
    --lr-wsd-decay-samples 200000 \
    --lr-decay-style WSD \
    --lr-wsd-decay-style minus_sqrt \
    --lr 6e-4 --min-lr 6e-6 --lr-warmup-init 1e-7 \
    --rampup-batch-size 256 256 300000 \
    --global-batch-size 1024 --micro-batch-size 2 \
    --start-weight-decay 0.033 --end-weight-decay 0.1 --weight-decay-incr-style cosine \
    --optimizer adam --adam-eps 1e-8 --adam-beta2 0.98 \
    --clip-grad 0.5 \
"
python -u pretrain_gpt.py $OPTIONS --distributed-backend nccl
